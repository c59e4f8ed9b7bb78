#include "arrays.hpp"
#include "flowscape/extended/activation.hpp"
#include "flowscape/extended/polish.hpp"
#include "flowscape/flow/options.hpp"
#include "flowscape/parallel.hpp"
#include "interruptible.hpp"

namespace flowscape::bindings {
namespace {

/// Values and two derivatives, [3][n] high and low parts.
py::tuple extended_activation(const Activation& activation, const Array& hi, const Array& lo) {
  if (hi.ndim() != 1 || lo.ndim() != 1 || hi.size() != lo.size())
    throw py::value_error("hi and lo must have shape (n,)");
  const std::int64_t n = hi.size();
  Array high({std::int64_t{3}, n}), low({std::int64_t{3}, n});
  for (std::int64_t i = 0; i < n; ++i) {
    const auto jet = extended::evaluate(activation.terms(), {hi.data()[i], lo.data()[i]}).jet;
    const DoubleDouble parts[] = {jet.value, jet.first, jet.second};
    for (int order = 0; order < 3; ++order) {
      high.mutable_data()[order * n + i] = parts[order].hi;
      low.mutable_data()[order * n + i] = parts[order].lo;
    }
  }
  return py::make_tuple(high, low);
}

/// Guard of the memory, as require_shape: three arrays of N K values.
extended::Targets checked_targets(const Objective& objective, const Array& hi, const Array& lo,
                                  const Array& size) {
  const std::int64_t rows = objective.problem().samples * objective.problem().shape.outputs;
  if (hi.size() != rows || lo.size() != rows || size.size() != rows)
    throw py::value_error("targets must have shape (N, K)");
  return {hi.data(), lo.data(), size.data()};
}

/// residual, its Jacobian if asked, as high and low parts, and the size of the residual's terms.
py::tuple extended_residual(const Objective& objective, const Array& target_hi,
                            const Array& target_lo, const Array& target_size, const Array& theta,
                            const Array& theta_low, bool with_jacobian, int n_threads) {
  const std::int64_t P = objective.parameters(), B = theta.shape(0);
  require_shape(theta, "theta", -1, P);
  require_shape(theta_low, "theta_low", B, P);
  const extended::Targets targets = checked_targets(objective, target_hi, target_lo, target_size);
  const std::int64_t N = objective.problem().samples, K = objective.problem().shape.outputs;
  Array hi({B, N, K}), lo({B, N, K}), size({B, N, K});
  const std::int64_t columns = with_jacobian ? P : 0;
  Array jacobian_hi({B, N, K, columns}), jacobian_lo({B, N, K, columns});
  const double *const high = theta.data(), *const low = theta_low.data();
  double *const h = hi.mutable_data(), *const l = lo.mutable_data(), *const s = size.mutable_data();
  double *const jh = jacobian_hi.mutable_data(), *const jl = jacobian_lo.mutable_data();
  const double cost = 1e3 * static_cast<double>(B * N * objective.problem().shape.width);
  run_interruptible(cost, py::none(), [&](auto& stop, auto&) {
    parallel_items(B, worthwhile_threads(cost, n_threads), [&] {
      return [&, residual = extended::Residual(objective.problem(), targets),
              point = extended::Numbers(P)](std::int64_t b) mutable {
        if (stop.load()) return;
        for (std::int64_t p = 0; p < P; ++p) point[p] = {high[b * P + p], low[b * P + p]};
        residual.evaluate(point.data(), with_jacobian);
        for (std::int64_t i = 0; i < N * K; ++i) {
          h[b * N * K + i] = residual.values()[i].hi;
          l[b * N * K + i] = residual.values()[i].lo;
          s[b * N * K + i] = residual.sizes()[i];
        }
        for (std::int64_t i = 0; i < N * K * columns; ++i) {
          jh[b * N * K * P + i] = residual.jacobian()[i].hi;
          jl[b * N * K * P + i] = residual.jacobian()[i].lo;
        }
      };
    });
  });
  return py::make_tuple(hi, lo, size, jacobian_hi, jacobian_lo);
}

py::dict extended_polish(const Objective& objective, const Array& target_hi,
                         const Array& target_lo, const Array& target_size, const Array& theta,
                         double gtol, std::int64_t max_iterations, int n_threads,
                         const py::object& progress) {
  const std::int64_t P = objective.parameters();
  require_shape(theta, "theta", -1, P);
  const extended::Targets targets = checked_targets(objective, target_hi, target_lo, target_size);
  const std::int64_t B = theta.shape(0);
  Array points({B, P}), low({B, P}), loss(B), zero_loss(B), slope(B), floor(B), residual(B);
  py::array_t<std::int64_t> iterations(B);
  py::array_t<std::int8_t> status(B);
  for (Array* real : {&low, &loss, &zero_loss, &slope, &floor, &residual})
    std::fill_n(real->mutable_data(), real->size(), NAN);
  std::copy_n(theta.data(), B * P, points.mutable_data());
  std::fill_n(iterations.mutable_data(), B, 0);
  std::fill_n(status.mutable_data(), B, static_cast<std::int8_t>(Status::not_run));
  const extended::PolishOptions options{gtol, max_iterations};
  const extended::PolishOutput output{
      points.mutable_data(), low.mutable_data(),      loss.mutable_data(),
      zero_loss.mutable_data(), slope.mutable_data(), floor.mutable_data(),
      residual.mutable_data(), iterations.mutable_data(), status.mutable_data()};
  run_interruptible(1e12, progress, [&](auto& stop, auto& finished) {
    extended::polish(objective, targets, options, B, output, n_threads, stop, finished);
  });
  py::dict result;
  result["theta"] = points;
  result["theta_low"] = low;
  result["loss"] = loss;
  result["zero_loss"] = zero_loss;
  result["gradient_norm"] = slope;
  result["floor"] = floor;
  result["residual_norm"] = residual;
  result["iterations"] = iterations;
  result["status"] = status;
  return result;
}

}  // namespace

void bind_extended(py::module_& module) {
  module.def("extended_activation", &extended_activation, py::arg("activation"), py::arg("hi"),
             py::arg("lo"));
  module.def("extended_residual", &extended_residual, py::arg("objective"), py::arg("target_hi"),
             py::arg("target_lo"), py::arg("target_size"), py::arg("theta"),
             py::arg("theta_low"), py::arg("with_jacobian"), py::arg("n_threads"));
  module.def("extended_polish", &extended_polish, py::arg("objective"), py::arg("target_hi"),
             py::arg("target_lo"), py::arg("target_size"), py::arg("theta"), py::arg("gtol"),
             py::arg("max_iterations"), py::arg("n_threads"), py::arg("progress"));
}

}  // namespace flowscape::bindings
