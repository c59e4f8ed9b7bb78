// exp(-y), log(1 + exp(-y)) and the quotients by 1 + exp(-y).
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/compensated.hpp"
#include "flowscape/activation/exponential.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/level_operations.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

/// What sigmoid and softplus are made of, for y >= 0.
template <class V>
struct Logistic {
  V decay, minus_one;  // e = exp(-y), e - 1
  V low;               // what rounding took from e
  V sum, reciprocal;   // 1 + e rounded, its reciprocal
  V upper, lower;      // sigmoid(y) = 1 / (1 + e), sigmoid(-y) = e / (1 + e)

  /// -tanh(y/2).
  FLOWSCAPE_INLINE V minus_half_tanh() const { return minus_one * reciprocal; }
  /// sigmoid'(y) = sech²(y/2)/4.
  FLOWSCAPE_INLINE V slope() const { return fnma(lower, lower, lower); }
};

/// 1 + e and the quotient e / (1 + e) are rough; what they are subtracted from is not:
/// 1/(1 + e) = 1 - e/(1 + e) and e/(1 + e) = e - e² / (1 + e).
template <class V>
FLOWSCAPE_INLINE Logistic<V> logistic(V minus_y) {
  const Decay<V> e = decay(minus_y);
  const V sum = 1.0 + e.value;
  const V reciprocal = 1.0 / sum;
  const V rough = e.value * reciprocal;
  return {e.value, e.minus_one, e.low, sum, reciprocal, 1.0 - rough, fnma(e.value, rough, e.value)};
}

namespace detail {
/// log(1 + e) = log(c (1 + e)) - log(c) with c(1 + e) near 1 from a table of 16: no division.
template <class V>
FLOWSCAPE_INLINE V log1p_by_table(V e) {
  const MaskOf<V> nearest = bits(fma(e, broadcast<V>(15.0), broadcast<V>(kToInteger)));
  const V c = lookup<V>(kLogScale, nearest);
  const V r = fma(e, c, c - 1.0);
  return lookup<V>(kMinusLogScale, nearest) + fma(r * r, polynomial(r, kLog1p), r);
}
}  // namespace detail

/// log(1 + e) for 0 <= e <= 1, from e and from e - 1 (each as accurate as it is known). <= 2 ulp.
template <class V>
FLOWSCAPE_INLINE V log1p(V e, V e_minus_one) {
  if constexpr (kHasLookup) return detail::log1p_by_table(e);
  const MaskOf<V> big = e > broadcast<V>(0x1.a827999fcef32p-2);  // sqrt(2) - 1
  const V f = select<V>(big, 0.5 * e_minus_one, e);              // 1 + e = (1 + f) (2 or 1)
  const V s = f / (2.0 + f);
  const V s2 = s * s;
  const V half_square = 0.5 * f * f;
  const V correction = s * fma(s2, polynomial(s2, kLog), half_square);
  const V high = select<V>(big, broadcast<V>(kLn2High), V{});
  const V low = select<V>(big, broadcast<V>(kLn2Low), V{});
  return high - ((half_square - (correction + low)) - f);
}

}  // namespace flowscape::elementary
