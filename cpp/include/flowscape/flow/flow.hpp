// Gradient flows theta' = -grad L of a batch of starting points.
#pragma once

#include <atomic>
#include <cstdint>

#include "flowscape/flow/options.hpp"
#include "flowscape/objective/objective.hpp"

namespace flowscape {

/// Follows every row of theta0 [B][P] to its end. Outputs must hold Status::not_run before.
///
/// `stop` is read once per step: when it becomes true the running flows end as interrupted and
/// the rest stays not_run. `finished` counts ended runs while the call is under way.
void gradient_flow(const Objective& objective, FlowMethod method, const FlowOptions& options,
                   std::int64_t batch, const double* theta0, const FlowOutput& output,
                   int n_threads, const std::atomic<bool>& stop,
                   std::atomic<std::int64_t>& finished);

/// Bounds on the largest |eigenvalue| of the Hessian at the rows of theta [B][P] (Gershgorin);
/// NaN where the Hessian is not finite.
void spectral_bounds(const Objective& objective, std::int64_t batch, const double* theta,
                     double* bounds, int n_threads, const std::atomic<bool>& stop);

/// `steps` equal steps of the multistep method at one order, without error control: for measuring
/// orders. history [order + 1][P] are points at distance h, the latest first; the last point goes
/// to `end` [P]. False if a step could not be solved.
bool march_bdf(const Objective& objective, int order, double h, std::int64_t steps,
               const double* history, double* end);

}  // namespace flowscape
