// The sums over samples from which loss, gradient and Hessian are assembled.
//
// With W the sample weights, r the residuals, x the features (bias included), h, s, q the
// activation and its derivatives, e_k = sum_o a_ko W r_o, and tri(D) = D(D+1)/2, the buffer holds
//   head    sum W |r|^2, then (output bias) per output sum W r_o, then sum W
//   neuron  per output sum W r_o h_k | incoming [D] | curvature [tri(D)] | cross [K][D] | bias [1+D]
//           incoming: sum W r s_k x (one output; times a_k when assembled) or sum e_k s_k x
//           curvature: the same with q_k and x x^T;  cross (several outputs): sum W r_o s_k x
//           bias (output bias): sum W h_k, sum W s_k x
//   pair    l <= k: sum W h_k h_l | h_k s_l x [D] | s_k h_l x [D] | s_k s_l x x^T [tri(D)]
// These are every distinct product of the closed-form Hessian; s_k s_l x_i x_j is summed once for
// both of its places.
#pragma once

#include "flowscape/objective/shape.hpp"

namespace flowscape {

struct MomentLayout {
  MomentLayout() = default;
  explicit MomentLayout(const Shape& shape) noexcept
      : outputs(shape.outputs), features(shape.features()), width(shape.width) {
    incoming = outputs;
    curvature = incoming + features;
    cross = curvature + triangle(features);
    bias = cross + (outputs > 1 ? outputs * features : 0);
    per_neuron = bias + (shape.output_bias ? 1 + features : 0);
    per_pair = 1 + 2 * features + triangle(features);
  }
  std::int64_t head() const noexcept { return outputs + 2; }
  std::int64_t neuron(std::int64_t k) const noexcept { return head() + k * per_neuron; }
  std::int64_t pairs() const noexcept { return head() + width * per_neuron; }
  std::int64_t pair(std::int64_t k, std::int64_t l) const noexcept {
    return pairs() + packed(k, l) * per_pair;
  }
  /// Moments needed up to derivative `order`.
  std::int64_t size(int order) const noexcept {
    return order == 0 ? 1 : order == 1 ? pairs() : pairs() + triangle(width) * per_pair;
  }

  std::int64_t outputs = 1, features = 1, width = 1;
  std::int64_t incoming = 0, curvature = 0, cross = 0, bias = 0;
  std::int64_t per_neuron = 0, per_pair = 0;
};

}  // namespace flowscape
