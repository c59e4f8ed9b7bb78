#include "arrays.hpp"
#include "flowscape/objective/objective.hpp"
#include "flowscape/parallel.hpp"
#include "interruptible.hpp"

namespace flowscape::bindings {
namespace {

/// Calls below this many nanoseconds keep the interpreter.
constexpr double kTooShortToRelease = 2e4;
constexpr long kMostThreads = 1024;

const char* kernel_name(KernelShape kernel) {
  switch (kernel) {
    case KernelShape::network_lanes: return "network_lanes";
    case KernelShape::sample_lanes: return "sample_lanes";
    case KernelShape::neuron_lanes: return "neuron_lanes";
  }
  return "";
}

std::unique_ptr<Objective> make_objective(const Activation& activation, std::int64_t width,
                                          std::int64_t inputs, std::int64_t outputs, bool bias,
                                          bool output_bias, const Array& x, const Array& y,
                                          const Array& weights, double scale, double l2,
                                          const std::string& kernel) {
  std::optional<KernelShape> forced;
  for (const KernelShape shape : kKernelShapes)
    if (kernel == kernel_name(shape)) forced = shape;
  if (!forced && kernel != "auto") throw py::value_error("unknown kernel '" + kernel + "'");
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

/// NumPy's one descriptor of native doubles.
PyObject* double_descriptor() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::dtype> descriptor;
  return descriptor.call_once_and_store_result([] { return py::dtype::of<double>(); })
      .get_stored()
      .ptr();
}

/// Loss and derivatives of B rows as fresh arrays; of one bare row without the leading axis.
py::tuple evaluate_rows(const Objective& self, const double* theta, std::int64_t B, bool bare,
                        int order, int n_threads) {
  const std::int64_t P = self.parameters();
  py::tuple result(order + 1);
  double* out[3] = {nullptr, nullptr, nullptr};
  double value = 0.0;
  const auto make = [&](int i, std::vector<py::ssize_t> shape) {
    if (!bare) shape.insert(shape.begin(), B);
    Array array(std::move(shape));
    out[i] = array.mutable_data();
    result[i] = std::move(array);
  };
  if (bare)
    out[0] = &value;
  else
    make(0, {});
  if (order >= 1) make(1, {P});
  if (order == 2) make(2, {P, P});
  const double cost = self.nanoseconds(order) * static_cast<double>(B);
  // Letting go of the interpreter costs as much as a small network.
  if (cost < kTooShortToRelease)
    self.evaluate(order, B, theta, out[0], out[1], out[2], 1);
  else
    run_interruptible(cost, py::none(), [&](auto& stop, auto&) {
      self.evaluate(order, B, theta, out[0], out[1], out[2], n_threads, &stop);
    });
  if (bare) {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> float64;
    const py::object& type = float64
                                 .call_once_and_store_result([]() -> py::object {
                                   return py::module_::import("numpy").attr("float64");
                                 })
                                 .get_stored();
    result[0] = py::reinterpret_steal<py::object>(
        PyObject_CallOneArg(type.ptr(), py::float_(value).ptr()));
  }
  return result;
}

py::tuple evaluate(const Objective& self, const Array& theta, int order, int n_threads) {
  if (order < 0 || order > 2) throw py::value_error("order must be 0, 1 or 2");
  require_shape(theta, "theta", -1, self.parameters());
  return evaluate_rows(self, theta.data(), theta.shape(0), false, order, n_threads);
}

/// `evaluate` for arguments that need no conversion: theta a C-contiguous float64 array (P,) or
/// (B, P), order 0, 1 or 2, n_threads an int or, where one thread is enough, None. Anything else
/// gives None, and the caller converts, checks and complains.
py::object evaluate_plain(const Objective& self, const py::handle& theta, const py::handle& order,
                          const py::handle& n_threads) {
  if (!py::isinstance<py::array>(theta) || !PyLong_CheckExact(order.ptr())) return py::none();
  const auto& array = reinterpret_cast<const py::array&>(theta);  // no count, no conversion
  const py::ssize_t axes = array.ndim();
  constexpr int kPlain = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ |
                         py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if (axes < 1 || axes > 2 || array.shape(axes - 1) != self.parameters() ||
      (array.flags() & kPlain) != kPlain || py::detail::array_proxy(array.ptr())->descr != double_descriptor())
    return py::none();
  const long asked = PyLong_AsLong(order.ptr());
  const std::int64_t B = axes == 1 ? 1 : array.shape(0);
  if (asked < 0 || asked > 2 || B < 1) {
    PyErr_Clear();
    return py::none();
  }
  long threads = 1;
  if (n_threads.is_none()) {
    const double cost = self.nanoseconds(static_cast<int>(asked)) * static_cast<double>(B);
    if (worthwhile_threads(cost, 2) > 1) return py::none();
  } else {
    threads = PyLong_CheckExact(n_threads.ptr()) ? PyLong_AsLong(n_threads.ptr()) : 0;
    if (threads < 1 || threads > kMostThreads) {
      PyErr_Clear();
      return py::none();
    }
  }
  return evaluate_rows(self, static_cast<const double*>(array.data()), B, axes == 1,
                       static_cast<int>(asked), static_cast<int>(threads));
}

Array hvp(const Objective& self, const Array& theta, const Array& direction, int n_threads) {
  require_shape(theta, "theta", -1, self.parameters());
  const std::int64_t B = theta.shape(0);
  require_shape(direction, "direction", B, self.parameters());
  Array product({B, self.parameters()});
  const double *const in = theta.data(), *const v = direction.data();
  double* const out = product.mutable_data();
  run_interruptible(self.nanoseconds(1) * static_cast<double>(B), py::none(),
                    [&](auto& stop, auto&) { self.hessian_vector(B, in, v, out, n_threads, &stop); });
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
  run_interruptible(self.nanoseconds(1) * static_cast<double>(B), py::none(),
                    [&](auto& stop, auto&) { self.residual(B, in, out, rows, n_threads, &stop); });
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
  run_interruptible(2 * self.nanoseconds(1) * static_cast<double>(B), py::none(),
                    [&](auto& stop, auto&) { self.noise(B, in, z, l, g, h, n_threads, &stop); });
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
      .def("evaluate_plain", &evaluate_plain)
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
