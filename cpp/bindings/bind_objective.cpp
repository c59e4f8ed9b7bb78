#include "arrays.hpp"
#include "flowscape/objective/objective.hpp"
#include "interruptible.hpp"

namespace flowscape::bindings {
namespace {

const char* kernel_name(KernelShape kernel) {
  return kernel == KernelShape::network_lanes ? "network_lanes" : "sample_lanes";
}

std::unique_ptr<Objective> make_objective(const Activation& activation, std::int64_t width,
                                          std::int64_t inputs, std::int64_t outputs, bool bias,
                                          bool output_bias, const Array& x, const Array& y,
                                          const Array& weights, double scale, double l2,
                                          const std::string& kernel) {
  std::optional<KernelShape> forced;
  if (kernel == kernel_name(KernelShape::network_lanes)) forced = KernelShape::network_lanes;
  else if (kernel == kernel_name(KernelShape::sample_lanes)) forced = KernelShape::sample_lanes;
  else if (kernel != "auto") throw py::value_error("unknown kernel '" + kernel + "'");
  if (width < 1 || inputs < 1 || outputs < 1) throw py::value_error("sizes must be positive");
  const std::int64_t samples = x.ndim() == 2 ? x.shape(0) : 0;
  if (samples < 1) throw py::value_error("x must have shape (N, d) with N >= 1");
  require_shape(x, "x", samples, inputs);
  require_shape(y, "y", samples, outputs);
  if (weights.ndim() != 1 || weights.shape(0) != samples)
    throw py::value_error("weights must have shape (N,)");
  return std::make_unique<Objective>(
      ProblemData({width, inputs, outputs, bias, output_bias}, activation, samples, x.data(),
                  y.data(), weights.data(), scale, l2, forced));
}

py::tuple evaluate(const Objective& self, const Array& theta, int order, int n_threads) {
  if (order < 0 || order > 2) throw py::value_error("order must be 0, 1 or 2");
  const std::int64_t P = self.parameters();
  require_shape(theta, "theta", -1, P);
  const std::int64_t B = theta.shape(0);
  Array loss(B);
  Array gradient = order >= 1 ? Array({B, P}) : Array(0);
  Array hessian = order == 2 ? Array({B, P, P}) : Array(0);
  const double* const in = theta.data();
  double *const l = loss.mutable_data(), *const g = gradient.mutable_data();
  double* const h = hessian.mutable_data();
  run_interruptible(self.nanoseconds(order) * static_cast<double>(B), n_threads, py::none(),
                    [&](auto&, auto&) { self.evaluate(order, B, in, l, g, h, n_threads); });
  if (order == 0) return py::make_tuple(loss);
  if (order == 1) return py::make_tuple(loss, gradient);
  return py::make_tuple(loss, gradient, hessian);
}

Array hvp(const Objective& self, const Array& theta, const Array& direction, int n_threads) {
  require_shape(theta, "theta", -1, self.parameters());
  const std::int64_t B = theta.shape(0);
  require_shape(direction, "direction", B, self.parameters());
  Array product({B, self.parameters()});
  const double *const in = theta.data(), *const v = direction.data();
  double* const out = product.mutable_data();
  run_interruptible(self.nanoseconds(1) * static_cast<double>(B), n_threads, py::none(),
                    [&](auto&, auto&) { self.hessian_vector(B, in, v, out, n_threads); });
  return product;
}

py::tuple residual(const Objective& self, const Array& theta, bool jacobian, int n_threads) {
  const std::int64_t P = self.parameters();
  require_shape(theta, "theta", -1, P);
  const std::int64_t B = theta.shape(0), N = self.problem().samples;
  const std::int64_t K = self.problem().shape.outputs;
  Array r({B, N, K});
  Array J = jacobian ? Array({B, N, K, P}) : Array(0);
  const double* const in = theta.data();
  double *const out = r.mutable_data(), *const rows = jacobian ? J.mutable_data() : nullptr;
  run_interruptible(self.nanoseconds(1) * static_cast<double>(B), n_threads, py::none(),
                    [&](auto&, auto&) { self.residual(B, in, out, rows, n_threads); });
  if (!jacobian) return py::make_tuple(r);
  return py::make_tuple(r, J);
}

py::tuple noise(const Objective& self, const Array& theta, int n_threads) {
  require_shape(theta, "theta", -1, self.parameters());
  const std::int64_t B = theta.shape(0);
  Array zero_loss(B), loss(B), gradient(B), hessian(B);
  const double* const in = theta.data();
  double *const z = zero_loss.mutable_data(), *const l = loss.mutable_data();
  double *const g = gradient.mutable_data(), *const h = hessian.mutable_data();
  run_interruptible(2 * self.nanoseconds(1) * static_cast<double>(B), n_threads, py::none(),
                    [&](auto&, auto&) { self.noise(B, in, z, l, g, h, n_threads); });
  return py::make_tuple(zero_loss, loss, gradient, hessian);
}

}  // namespace

void bind_objective(py::module_& module) {
  py::class_<Objective>(module, "Objective")
      .def(py::init(&make_objective), py::arg("activation"), py::arg("width"), py::arg("inputs"),
           py::arg("outputs"), py::arg("bias"), py::arg("output_bias"), py::arg("x"),
           py::arg("y"), py::arg("weights"), py::arg("scale"), py::arg("l2"),
           py::arg("kernel") = "auto")
      .def_property_readonly("kernel",
                             [](const Objective& self) {
                               return kernel_name(self.problem().kernel);
                             })
      .def_property_readonly("n_params", &Objective::parameters)
      .def("evaluate", &evaluate, py::arg("theta"), py::arg("order"), py::arg("n_threads"))
      .def("hvp", &hvp, py::arg("theta"), py::arg("direction"), py::arg("n_threads"))
      .def("residual", &residual, py::arg("theta"), py::arg("jacobian"), py::arg("n_threads"))
      .def("noise", &noise, py::arg("theta"), py::arg("n_threads"));
  module.def("choose_kernel", [](std::int64_t width, std::int64_t inputs, std::int64_t outputs,
                                 bool bias, bool output_bias, std::int64_t samples) {
    const Shape shape{width, inputs, outputs, bias, output_bias};
    return kernel_name(choose_kernel(shape, samples));
  });
}

}  // namespace flowscape::bindings
