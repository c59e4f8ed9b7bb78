// The error function and the normal distribution.
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/compensated.hpp"
#include "flowscape/activation/exponential.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/level_operations.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

/// Phi(-y) = decay above / below for 0 <= y <= 39 with decay = exp(-y²/2). `above` is F of
/// coefficients.hpp: it differs from 1/2 by so little that the error of the difference counts
/// little. `below` is 1 + kTailSlope y.
template <class V>
struct NormalTail {
  V above, excess;  // excess = F - 1/2
  V below, inverse;  // 1 / below

  /// Phi(-y) / decay, a few ulp.
  FLOWSCAPE_INLINE V rough() const { return above * inverse; }

  /// factor Phi(-y), where factor is y or 1, without the errors of `above` and `below`.
  template <bool times_y>
  FLOWSCAPE_INLINE V exact(V y, const Decay<V>& decay) const {
    // below - 1 is exact, so this is what rounding took from `below`.
    const V below_low = product_error(broadcast<V>(kTailSlope), y, below - 1.0);
    Sum<V> top = exact_product(decay.value, above);
    top.low = fma(decay.value, excess - (above - 0.5), fma(decay.low, above, top.low));
    if constexpr (times_y) {
      const V low = y * top.low;
      top = exact_product(y, top.high);
      top.low = top.low + low;
    }
    return quotient(top, {below, below_low}, inverse);
  }
};

template <class V>
FLOWSCAPE_INLINE NormalTail<V> normal_tail(V y) {
  const V excess = y * polynomial(y, kTailNumerator) / polynomial(y, kTailDenominator);
  const V below = fma(broadcast<V>(kTailSlope), y, broadcast<V>(1.0));
  return {0.5 + excess, excess, below, reciprocal(below)};
}

/// exp(-y²/2) for 0 <= y <= 39.
template <class V>
FLOWSCAPE_INLINE Decay<V> normal_decay(V y) {
  const Sum<V> square = exact_product(y, y);
  return decay<true>(-0.5 * square.high, -0.5 * square.low);
}

/// erf(y) for 0 <= y <= 27, given exp(-y²). <= 1.3 ulp.
template <class V>
FLOWSCAPE_INLINE V erf_positive(V y, V decayed) {
  const V small = fma(y, polynomial(y * y, kErf), y);
  const V large = 1.0 - 2.0 * decayed * normal_tail(0x1.6a09e667f3bcdp+0 * y).rough();
  return select<V>(y < broadcast<V>(1.0), small, large);
}

}  // namespace flowscape::elementary
