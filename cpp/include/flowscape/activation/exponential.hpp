// exp in vectors, and exp(-y²) for the functions of the normal distribution.
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/level_operations.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

inline constexpr double kInverseLn2 = 0x1.71547652b82fep+0;

/// ln(2) in two parts; the first has 21 trailing zeros, so its multiples are exact.
inline constexpr double kLn2High = 0x1.62e42feep-1;
inline constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

/// ln(2^-1022), below which exp is subnormal.
inline constexpr double kLogSmallestNormal = -0x1.6232bdd7abcd2p+9;

/// exp(x + low) = 2^k (1 + tail), |tail| < 0.42. `biased` = k + kToInteger.
template <class V>
struct ReducedExp {
  V biased, tail;
  FLOWSCAPE_INLINE V exponent() const { return biased - kToInteger; }
};

/// Without `low` the rounding error of the reduced argument, up to 2^-55, stays in the result.
template <bool with_low = false, class V>
FLOWSCAPE_INLINE ReducedExp<V> reduce_exp(V x, V low = V{}) {
  const V biased = fma(x, broadcast<V>(kInverseLn2), broadcast<V>(kToInteger));
  const V k = biased - kToInteger;
  const V exact = fma(k, broadcast<V>(-kLn2High), x);
  const V high = with_low ? exact + low : exact;
  const V r = fma(k, broadcast<V>(-kLn2Low), high);
  const V r2 = r * r;
  if constexpr (!with_low) return {biased, fma(r2, polynomial(r, kExpm1), r)};
  const V rest = fma(k, broadcast<V>(-kLn2Low), high - r) + ((exact - high) + low);
  return {biased, r + fma(r2, polynomial(r, kExpm1), rest)};
}

/// 2^(k + shift) from biased = k + kToInteger; -1022 <= k + shift <= 1023.
template <class V>
FLOWSCAPE_INLINE V power_of_two(V biased, int shift = 0) {
  return from_bits<V>((bits(biased) << 52) + (static_cast<std::int64_t>(1023 + shift) << 52));
}

/// 2^k (1 + tail), rounded where it is subnormal or overflows.
template <class V>
FLOWSCAPE_INLINE V full_range(const ReducedExp<V>& reduced) {
  const V k = reduced.exponent();
  if constexpr (kHasScale) return scale(1.0 + reduced.tail, k);
  const V half = fma(k, broadcast<V>(0.5), broadcast<V>(kToInteger));
  const V other = k - (half - kToInteger) + kToInteger;
  return (1.0 + reduced.tail) * power_of_two(half) * power_of_two(other);
}

/// exp(x) over the whole range: overflows to +inf, underflows gradually. <= 1.1 ulp.
template <class V>
FLOWSCAPE_INLINE V exp(V x) {
  return full_range(reduce_exp(min(broadcast<V>(710.0), max(broadcast<V>(-746.0), x))));
}

/// factor·exp(-y) for 700 <= y <= 760 and a factor between 1 and 2^20: exp(-y) alone has lost bits.
template <class V>
FLOWSCAPE_INLINE V times_decay(V factor, V y) {
  const ReducedExp<V> reduced = reduce_exp(-y);
  const V t = power_of_two(reduced.biased, 600);
  return (factor * fma(t, reduced.tail, t)) * 0x1p-600;
}

/// exp and exp - 1 of one argument, each with its own relative accuracy.
template <class V>
struct Decay {
  V value, minus_one;
  V low;  // what rounding took from `value`
};

/// exp(x + low) and exp(x + low) - 1 for x <= 0 and |low| <= ulp(x). Underflows gradually.
template <bool with_low = false, class V>
FLOWSCAPE_INLINE Decay<V> decay(V x, V low = V{}) {
  x = max(broadcast<V>(-746.0), x);
  const ReducedExp<V> reduced = reduce_exp<with_low>(x, low);
  V t;
  if constexpr (kHasScale)
    t = scale(broadcast<V>(1.0), reduced.exponent());
  else
    t = power_of_two(reduced.biased);
  const V value = fma(t, reduced.tail, t);
  Decay<V> result{value, fma(t, reduced.tail, t - 1.0), fma(t, reduced.tail, t - value)};
  if constexpr (!kHasScale) {
    const MaskOf<V> subnormal = x < broadcast<V>(kLogSmallestNormal);
    if (__builtin_expect(any(subnormal), 0)) {
      result.value = select<V>(subnormal, full_range(reduced), value);
      result.minus_one = select<V>(subnormal, broadcast<V>(-1.0), result.minus_one);
      result.low = select<V>(subnormal, V{}, result.low);
    }
  }
  return result;
}

}  // namespace flowscape::elementary
