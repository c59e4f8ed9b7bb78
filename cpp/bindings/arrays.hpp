// NumPy arrays at the border: the one place that includes pybind11's array headers.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>

namespace flowscape::bindings {

namespace py = pybind11;
using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// Raises ValueError unless `array` is (rows, columns); the Python layer checks before, with
/// messages for people: this is the guard of the memory.
inline void require_shape(const Array& array, const char* name, std::int64_t rows,
                          std::int64_t columns) {
  if (array.ndim() != 2 || (rows >= 0 && array.shape(0) != rows) || array.shape(1) != columns)
    throw py::value_error(std::string(name) + " must have shape (" +
                          (rows < 0 ? "B" : std::to_string(rows)) + ", " +
                          std::to_string(columns) + ")");
}

}  // namespace flowscape::bindings
