// Discrete dynamics theta_{k+1} = theta_k - step(gradient_k, ...) of a batch of starting points.
#pragma once

#include <atomic>
#include <cstdint>

#include "flowscape/descent/options.hpp"
#include "flowscape/objective/objective.hpp"

namespace flowscape {

/// Follows every row of theta0 [B][P] to its end; memory does not depend on the number of steps.
///
/// `stop` is read once per step; `finished` counts ended runs while the call is under way.
void gradient_descent(const Objective& objective, const DescentOptions& options,
                      std::int64_t batch, const double* theta0, const DescentOutput& output,
                      int n_threads, const std::atomic<bool>& stop,
                      std::atomic<std::int64_t>& finished);

/// Loss, infinity norm of the gradient and largest eigenvalue of the Hessian, each [B], at the rows
/// of theta [B][P]; NaN where they are not finite.
void end_points(const Objective& objective, std::int64_t batch, const double* theta, double* loss,
                double* gradient_norm, double* lambda_max, int n_threads,
                const std::atomic<bool>& stop);

}  // namespace flowscape
