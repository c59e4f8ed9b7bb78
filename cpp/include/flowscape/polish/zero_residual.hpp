// The last digits of a zero of the residual, where the loss itself is too flat to find them.
#pragma once

#include "flowscape/polish/newton_run.hpp"

namespace flowscape {

/// Whether the residual is small enough, and the Jacobian not too large, to try `reach_zero`.
bool zero_is_near(const ProblemData& problem, const PointData& at_point) noexcept;

/// Levenberg-Marquardt on the weighted residual from `theta`. If it reaches rounding error
/// without going far, moves `theta` there and returns true; else leaves it as it is.
bool reach_zero(Evaluator<SampleLanes>& evaluator, Vector& theta);

}  // namespace flowscape
