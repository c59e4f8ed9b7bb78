// tanh and its first derivative with one division and no comparison.
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/exponential.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/level_operations.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

/// tanh(y) for y >= 0 and the part of its derivative that is not made of it.
///
/// With y = k ln(2)/2 + r, k an integer, s = 2^-k and t = tanh(r), the addition theorem reads
///
///   tanh(y) = (1 - s) + s ((3 - s) t - (1 - s)) / d,   d = (1 + s) + (1 - s) t.
///
/// 1 - s is exact. For k = 0 the rest is t, without error; for k > 0 it is between -0.26 and 0, so
/// that its roundings weigh little in the sum. That is why k = 0 reaches up to tanh(y) = 1/4, where
/// an ulp doubles: -0.0912 < r < 0.2555.
template <class V>
struct HalfLine {
  V tanh;
  V rest;  // 1 - tanh(y), with its own relative accuracy

  /// tanh'(y). It is flushed.
  FLOWSCAPE_INLINE V slope() const { return rest * (1.0 + tanh); }
};

template <class V>
FLOWSCAPE_INLINE HalfLine<V> half_line(V y) {
  constexpr double shifter = kToInteger + 1023.0;
  constexpr double middle = 0.08214;  // of the range of r: k = 0 ends at 0.255427
  // Where k ends s is zero: by rounding 2^-1077, or by an exponent field of zero.
  y = min(broadcast<V>(kHasScale ? 373.0 : 354.6), y);
  const V biased = fnma(y - middle, broadcast<V>(2 * kInverseLn2), broadcast<V>(shifter));
  const V minus_k = biased - shifter;
  const V exact = fma(minus_k, broadcast<V>(0.5 * kLn2High), y);
  const V r = fma(minus_k, broadcast<V>(0.5 * kLn2Low), exact);
  const V r2 = r * r;
  const V t = fma(r * r2, polynomial(r2, kTanh), r);

  V s;
  if constexpr (kHasScale)
    s = scale(broadcast<V>(1.0), minus_k);
  else
    s = from_bits<V>(bits(biased) << 52);
  const V one_less = 1.0 - s;
  const V quotient = s / fma(one_less, t, 1.0 + s);
  return {fma(fma(3.0 - s, t, -one_less), quotient, one_less),
          fma(broadcast<V>(-2.0), t, broadcast<V>(2.0)) * quotient};
}

}  // namespace flowscape::elementary
