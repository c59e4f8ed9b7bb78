#include "arrays.hpp"
#include "flowscape/polish/polish.hpp"
#include "interruptible.hpp"

namespace flowscape::bindings {
namespace {

py::dict polish_rows(const Objective& objective, const Array& theta, double gtol,
                     std::int64_t max_iterations, int n_threads, const py::object& progress) {
  const std::int64_t P = objective.parameters();
  require_shape(theta, "theta", -1, P);
  const std::int64_t B = theta.shape(0);
  Array points({B, P}), loss(B), zero_loss(B), slope(B), floor(B), values({B, P}), bound(B);
  py::array_t<std::int64_t> inertia({B, std::int64_t{3}}), iterations(B);
  py::array_t<std::int8_t> status(B);
  for (Array* real : {&points, &loss, &zero_loss, &slope, &floor, &values, &bound})
    std::fill_n(real->mutable_data(), real->size(), NAN);
  std::fill_n(inertia.mutable_data(), 3 * B, 0);
  std::fill_n(iterations.mutable_data(), B, 0);
  std::fill_n(status.mutable_data(), B, static_cast<std::int8_t>(Status::not_run));
  const PolishOptions options{gtol, max_iterations};
  const PolishOutput output{points.mutable_data(),  loss.mutable_data(),
                            zero_loss.mutable_data(), slope.mutable_data(),
                            floor.mutable_data(),   values.mutable_data(),
                            bound.mutable_data(),   inertia.mutable_data(),
                            iterations.mutable_data(), status.mutable_data()};
  const double* const in = theta.data();
  run_interruptible(1e12, progress, [&](auto& stop, auto& finished) {
    polish(objective, options, B, in, output, n_threads, stop, finished);
  });
  py::dict result;
  result["theta"] = points;
  result["loss"] = loss;
  result["zero_loss"] = zero_loss;
  result["gradient_norm"] = slope;
  result["floor"] = floor;
  result["eigenvalues"] = values;
  result["zero_bound"] = bound;
  result["inertia"] = inertia;
  result["iterations"] = iterations;
  result["status"] = status;
  return result;
}

}  // namespace

void bind_polish(py::module_& module) {
  module.def("polish", &polish_rows, py::arg("objective"), py::arg("theta"), py::arg("gtol"),
             py::arg("max_iterations"), py::arg("n_threads"), py::arg("progress"));
}

}  // namespace flowscape::bindings
