// Operation counts of what a flow does, for choices that must depend on the problem alone: never
// on a clock, the batch or the number of threads.
#pragma once

#include <cstdint>

#include "flowscape/objective/moments.hpp"
#include "flowscape/objective/problem_data.hpp"

namespace flowscape {

struct OperationCounts {
  /// Floating-point operations of an activation with its derivatives: between tanh (46) and
  /// softplus (78).
  static constexpr double kActivation = 60.0;

  OperationCounts(const Shape& shape, std::int64_t samples) noexcept {
    const MomentLayout moments(shape);
    const double n = static_cast<double>(samples), m = static_cast<double>(shape.width);
    const double P = static_cast<double>(shape.parameters());
    const double per_neuron = 2.0 * static_cast<double>(shape.per_neuron()) + kActivation;
    gradient = n * (m * per_neuron + 2.0 * static_cast<double>(moments.size(1)));
    hessian = n * (m * per_neuron + 2.0 * static_cast<double>(moments.size(2))) + P * P;
    factor = P * P * P / 3.0;
    solve = 2.0 * P * P;
  }

  double gradient;  ///< loss and gradient
  double hessian;   ///< loss, gradient and Hessian
  double factor;    ///< of a matrix of order P
  double solve;

  /// Whether a Hessian with its factors costs more than another evaluation of the gradient does.
  bool hessian_is_dear() const noexcept { return hessian + factor > 2.0 * gradient; }
};

}  // namespace flowscape
