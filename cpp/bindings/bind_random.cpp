#include "arrays.hpp"
#include "flowscape/random/philox.hpp"

namespace flowscape::bindings {
namespace {

Array philox_normals(std::uint64_t key0, std::uint64_t key1, std::uint64_t first_run,
                     std::int64_t runs, std::int64_t count) {
  Array normals({runs, count});
  double* out = normals.mutable_data();
  for (std::int64_t b = 0; b < runs; ++b) {
    Philox stream(key0, key1, first_run + static_cast<std::uint64_t>(b));
    for (std::int64_t i = 0; i < count; ++i) *out++ = stream.normal();
  }
  return normals;
}

py::array_t<std::uint64_t> philox_raw(std::uint64_t key0, std::uint64_t key1, std::uint64_t run,
                                      std::int64_t count) {
  py::array_t<std::uint64_t> raw(count);
  Philox stream(key0, key1, run);
  for (std::int64_t i = 0; i < count; ++i) raw.mutable_data()[i] = stream.next();
  return raw;
}

}  // namespace

void bind_random(py::module_& module) {
  module.def("philox_normals", &philox_normals, py::arg("key0"), py::arg("key1"),
             py::arg("first_run"), py::arg("runs"), py::arg("count"));
  module.def("philox_raw", &philox_raw, py::arg("key0"), py::arg("key1"), py::arg("run"),
             py::arg("count"));
}

}  // namespace flowscape::bindings
