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

}  // namespace flowscape
