#include "arrays.hpp"
#include "flowscape/activation/activation.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::bindings {
namespace {

using TermTuple = std::tuple<std::string, double, double, double, std::vector<double>>;

Activation make_activation(const std::vector<TermTuple>& tuples) {
  std::vector<Term> terms;
  for (const auto& [name, c, s, h, coefficients] : tuples) {
    const auto sigma = parse_sigma(name);
    if (!sigma) throw py::value_error("unknown activation '" + name + "'");
    terms.push_back({*sigma, c, s, h, coefficients});
  }
  return Activation(std::move(terms));
}

py::tuple activation_values(const Activation& activation, const Array& z, int order) {
  if (order < 0 || order > 2) throw py::value_error("order must be 0, 1 or 2");
  const std::vector<py::ssize_t> shape(z.shape(), z.shape() + z.ndim());
  const std::int64_t size = z.size(), padded = (size + kLanes - 1) / kLanes * kLanes;
  AlignedBuffer in(padded), out[3];
  for (AlignedBuffer& buffer : out) buffer.resize(padded);
  std::copy_n(z.data(), size, in.data());
  activation.evaluate(order, in.data(), out[0].data(), out[1].data(), out[2].data(), padded);
  py::tuple result(order + 1);
  for (int i = 0; i <= order; ++i) {
    Array values(shape);
    std::copy_n(out[i].data(), size, values.mutable_data());
    result[i] = values;
  }
  return result;
}

}  // namespace

void bind_activation(py::module_& module) {
  py::class_<Activation>(module, "Activation").def(py::init(&make_activation), py::arg("terms"));
  module.def("activation_values", &activation_values, py::arg("activation"), py::arg("z"),
             py::arg("order"));
}

}  // namespace flowscape::bindings
