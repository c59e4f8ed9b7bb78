#include "arrays.hpp"
#include "flowscape/flow/costs.hpp"
#include "flowscape/flow/flow.hpp"
#include "interruptible.hpp"

namespace flowscape::bindings {
namespace {

using Integers = py::array_t<std::int64_t>;

py::dict gradient_flow_rows(const Objective& objective, const Array& theta0, const Array& atol,
                            double rtol, double gtol, double t_max, double escape,
                            std::int64_t max_steps, int method, const Array& save_at,
                            int n_threads, const py::object& progress) {
  const std::int64_t P = objective.parameters();
  require_shape(theta0, "theta0", -1, P);
  const std::int64_t B = theta0.shape(0), T = save_at.size();
  if (atol.ndim() != 1 || atol.shape(0) != B) throw py::value_error("atol must have shape (B,)");
  if (method < 0 || method > 2) throw py::value_error("method must be 0, 1 or 2");
  Array theta({B, P}), t(B), loss(B), slope(B), floor(B);
  Array saved = T > 0 ? Array({B, T, P}) : Array(0);
  Integers steps(B), rejected(B), gradients(B), hessians(B);
  py::array_t<std::int8_t> status(B);
  for (Array* real : {&theta, &t, &loss, &slope, &floor, &saved})
    std::fill_n(real->mutable_data(), real->size(), NAN);
  for (Integers* count : {&steps, &rejected, &gradients, &hessians})
    std::fill_n(count->mutable_data(), B, 0);
  std::fill_n(status.mutable_data(), B, static_cast<std::int8_t>(Status::not_run));
  std::int64_t slots = 0, busy = 0;
  const FlowOptions options{rtol, atol.data(), gtol, t_max, escape, max_steps, T, save_at.data()};
  const FlowOutput output{theta.mutable_data(),    t.mutable_data(),        loss.mutable_data(),
                          slope.mutable_data(),    floor.mutable_data(),    steps.mutable_data(),
                          rejected.mutable_data(), gradients.mutable_data(), hessians.mutable_data(),
                          status.mutable_data(),   T > 0 ? saved.mutable_data() : nullptr,
                          &slots,                  &busy};
  const double* const in = theta0.data();
  const auto kind = static_cast<FlowMethod>(method);
  run_interruptible(1e12, progress, [&](auto& stop, auto& finished) {
    gradient_flow(objective, kind, options, B, in, output, n_threads, stop, finished);
  });
  py::dict result;
  result["theta"] = theta;
  result["t"] = t;
  result["loss"] = loss;
  result["gradient_norm"] = slope;
  result["floor"] = floor;
  result["status"] = status;
  result["nstep"] = steps;
  result["nrejected"] = rejected;
  result["nfev"] = gradients;
  result["njev"] = hessians;
  result["thetas"] = T > 0 ? py::object(saved) : py::none();
  result["slots"] = slots;
  result["busy"] = busy;
  return result;
}

Array march_bdf_rows(const Objective& objective, double h, std::int64_t steps,
                     const Array& history) {
  require_shape(history, "history", -1, objective.parameters());
  const auto order = static_cast<int>(history.shape(0)) - 1;
  if (order < 1 || order > 5) throw py::value_error("history must hold 2 to 6 points");
  Array end(objective.parameters());
  if (!march_bdf(objective, order, h, steps, history.data(), end.mutable_data()))
    throw py::value_error("a step could not be solved");
  return end;
}

py::dict operation_counts(const Objective& objective) {
  const ProblemData& problem = objective.problem();
  const OperationCounts counts(problem.shape, problem.samples);
  py::dict result;
  result["gradient"] = counts.gradient;
  result["hessian"] = counts.hessian;
  result["factor"] = counts.factor;
  result["solve"] = counts.solve;
  result["hessian_is_dear"] = counts.hessian_is_dear();
  return result;
}

Array spectral_bound_rows(const Objective& objective, const Array& theta, int n_threads) {
  require_shape(theta, "theta", -1, objective.parameters());
  Array bounds(theta.shape(0));
  const double* const in = theta.data();
  double* const out = bounds.mutable_data();
  const std::int64_t batch = theta.shape(0);
  const double cost = objective.nanoseconds(2) * static_cast<double>(batch);
  run_interruptible(cost, py::none(), [&](auto& stop, auto&) {
    spectral_bounds(objective, batch, in, out, n_threads, stop);
  });
  return bounds;
}

}  // namespace

void bind_flow(py::module_& module) {
  module.def("gradient_flow", &gradient_flow_rows, py::arg("objective"), py::arg("theta0"),
             py::arg("atol"), py::arg("rtol"), py::arg("gtol"), py::arg("t_max"),
             py::arg("escape"), py::arg("max_steps"), py::arg("method"), py::arg("save_at"),
             py::arg("n_threads"), py::arg("progress"));
  module.def("operation_counts", &operation_counts, py::arg("objective"));
  module.def("spectral_bounds", &spectral_bound_rows, py::arg("objective"), py::arg("theta"),
             py::arg("n_threads"));
  module.def("march_bdf", &march_bdf_rows, py::arg("objective"), py::arg("h"), py::arg("steps"),
             py::arg("history"));
}

}  // namespace flowscape::bindings
