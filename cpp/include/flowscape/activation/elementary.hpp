// Elementary functions in vectors: the transcendental cores all activations share.
//
// V is Vec<1> or Vec<kLanes>. Element i of a result depends on element i of the arguments alone
// and has the same bits for both. NaN gives NaN. "Flushed" means: a value below 2^-1022 is zero
// on levels without `scale`. Errors in ulp hold on every level and are asserted, through the
// activations, in tests/reference/test_activations.py.
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

/// 1.5·2^52: adding it rounds |x| < 2^51 to an integer, which stands in the low bits of the sum.
inline constexpr double kToInteger = 0x1.8p52;

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

template <bool with_low = false, class V>
FLOWSCAPE_INLINE ReducedExp<V> reduce_exp(V x, V low = V{}) {
  const V biased = fma(x, broadcast<V>(0x1.71547652b82fep+0), broadcast<V>(kToInteger));
  const V k = biased - kToInteger;
  const V exact = fma(k, broadcast<V>(-kLn2High), x);
  const V high = with_low ? exact + low : exact;
  const V r = fma(k, broadcast<V>(-kLn2Low), high);
  V rest = fma(k, broadcast<V>(-kLn2Low), high - r);
  if constexpr (with_low) rest = rest + ((exact - high) + low);
  return {biased, r + fma(r * r, polynomial(r, kExpm1), rest)};
}

/// 2^(k + shift) from biased = k + kToInteger; -1022 <= k + shift <= 1023.
template <class V>
FLOWSCAPE_INLINE V power_of_two(V biased, int shift = 0) {
  return from_bits<V>((bits(biased) << 52) + (static_cast<std::int64_t>(1023 + shift) << 52));
}

/// exp(x) over the whole range: overflows to +inf, underflows gradually. <= 1 ulp.
template <class V>
FLOWSCAPE_INLINE V exp(V x) {
  x = min(broadcast<V>(710.0), max(broadcast<V>(-746.0), x));
  const ReducedExp<V> reduced = reduce_exp(x);
  if constexpr (kHasScale) return scale(1.0 + reduced.tail, reduced.exponent());
  const V half = fma(reduced.exponent(), broadcast<V>(0.5), broadcast<V>(kToInteger));
  const V other = reduced.exponent() - (half - kToInteger) + kToInteger;
  return (1.0 + reduced.tail) * power_of_two(half) * power_of_two(other);
}

/// exp and exp - 1 of one argument, each with its own relative accuracy.
template <class V>
struct Decay {
  V value, minus_one;
};

/// exp(x + low) and exp(x + low) - 1 for x <= 0 and |low| <= ulp(x); the value is flushed.
template <bool with_low = false, class V>
FLOWSCAPE_INLINE Decay<V> decay(V x, V low = V{}) {
  const double lowest = kHasScale ? -746.0 : kLogSmallestNormal;
  const ReducedExp<V> reduced = reduce_exp<with_low>(max(broadcast<V>(lowest), x), low);
  if constexpr (kHasScale) {
    const V t = scale(broadcast<V>(1.0), reduced.exponent());
    return {fma(t, reduced.tail, t), fma(t, reduced.tail, t - 1.0)};
  }
  const V t = power_of_two(reduced.biased);
  const V value = fma(t, reduced.tail, t);
  return {select<V>(x < broadcast<V>(lowest), V{}, value), fma(t, reduced.tail, t - 1.0)};
}

/// h + l = y² exactly where l does not underflow; |y| < 2^500.
template <class V>
struct Square {
  V high, low;
};

template <class V>
FLOWSCAPE_INLINE Square<V> square(V y) {
  const V high = y * y;
  if constexpr (kFusedFma) return {high, fma(y, y, -high)};
  const V top = from_bits<V>(bits(y) & ~static_cast<std::int64_t>(0x7ffffff));
  const V rest = y - top;
  return {high, ((top * top - high) + 2.0 * top * rest) + rest * rest};
}

/// Quotients by 1 + e, 0 <= e <= 1, in which the rounding error of 1 + e is undone.
template <class V>
struct OnePlus {
  V sum, low, rough;  // 1 + e = sum + low, rough = 1 / sum

  FLOWSCAPE_INLINE V reciprocal() const {
    if constexpr (kFusedFma)
      return fma(rough, fnma(low, rough, fnma(sum, rough, broadcast<V>(1.0))), rough);
    return rough - rough * (low * rough);
  }
  FLOWSCAPE_INLINE V divide(V numerator) const {
    if constexpr (kFusedFma) {
      const V q = numerator * rough;
      return fma(rough, fnma(low, q, fnma(sum, q, numerator)), q);
    }
    const V q = numerator / sum;
    return q - q * (low * rough);
  }
};

template <class V>
FLOWSCAPE_INLINE OnePlus<V> one_plus(V e) {
  const V sum = 1.0 + e;
  return {sum, e - (sum - 1.0), 1.0 / sum};
}

/// exp(-y) =: e, e - 1 and 1 + e for y >= 0: what tanh, sigmoid and softplus are made of.
template <class V>
struct Logistic {
  V decay, minus_one;
  OnePlus<V> denominator;

  /// -tanh(y/2).
  FLOWSCAPE_INLINE V minus_half_tanh() const { return denominator.divide(minus_one); }
  /// sigmoid'(y) = sech²(y/2)/4.
  FLOWSCAPE_INLINE V slope() const {
    const V q = denominator.reciprocal();
    return (decay * q) * q;
  }
};

template <class V>
FLOWSCAPE_INLINE Logistic<V> logistic(V minus_y) {
  const Decay<V> e = decay(minus_y);
  return {e.value, e.minus_one, one_plus(e.value)};
}

/// log(1 + e) for 0 <= e <= 1, from e and from e - 1 (each as accurate as it is known). <= 2 ulp.
template <class V>
FLOWSCAPE_INLINE V log1p(V e, V e_minus_one) {
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

/// Phi(-y) exp(y²/2), the normal tail without its decay, for 0 <= y <= 39.
template <class V>
FLOWSCAPE_INLINE V mills(V y) {
  return polynomial(y, kMillsNumerator) / polynomial(y, kMillsDenominator);
}

/// erf(y) for 0 <= y <= 27, given exp(-y²). <= 2 ulp.
template <class V>
FLOWSCAPE_INLINE V erf_positive(V y, V decayed) {
  const V small = fma(y, polynomial(y * y, kErf), y);
  const V large = 1.0 - 2.0 * decayed * mills(0x1.6a09e667f3bcdp+0 * y);
  return select<V>(y < broadcast<V>(1.0), small, large);
}

/// atan(z). <= 2 ulp.
template <class V>
FLOWSCAPE_INLINE V atan(V z) {
  const V y = abs(z);
  const V one = broadcast<V>(1.0);
  const MaskOf<V> middle = y > broadcast<V>(0x1.a827999fcef32p-2);  // tan(pi/8)
  const MaskOf<V> far = y > broadcast<V>(0x1.3504f333f9de6p+1);     // tan(3 pi/8)
  const V top = select<V>(far, -one, select<V>(middle, y - one, y));
  const V bottom = select<V>(far, y, select<V>(middle, y + one, one));
  const V t = top / bottom;
  const V t2 = t * t;
  const V high = select<V>(far, broadcast<V>(0x1.921fb54442d18p+0),
                           select<V>(middle, broadcast<V>(0x1.921fb54442d18p-1), V{}));
  const V low = select<V>(far, broadcast<V>(0x1.1a62633145c07p-54),
                          select<V>(middle, broadcast<V>(0x1.1a62633145c07p-55), V{}));
  return copysign(high + (t + fma(t * t2, polynomial(t2, kArctan), low)), z);
}

/// r + rest = z - k pi/2 with |r| <= pi/4 (1 + 2^-30) for |z| <= kSineLimit; `biased` as above.
template <class V>
struct ReducedAngle {
  V biased, r, rest;
};

/// Beyond it the reduction loses accuracy and the C library takes over.
inline constexpr double kSineLimit = 1e5;

template <class V>
FLOWSCAPE_INLINE ReducedAngle<V> reduce_angle(V z) {
  const V biased = fma(z, broadcast<V>(0x1.45f306dc9c883p-1), broadcast<V>(kToInteger));
  const V k = biased - kToInteger;
  // pi/2 in three parts of 53 bits; without a fused fma in three of 36 bits, whose products with
  // k < 2^17 are exact, and a fourth. first - second is difference + lost exactly.
  const V first = fma(k, broadcast<V>(kFusedFma ? -0x1.921fb54442d18p+0 : -0x1.921fb5444p+0), z);
  const V second = k * (kFusedFma ? 0x1.1a62633145c07p-54 : 0x1.68c234c4cp-39);
  const V difference = first - second;
  const V back = difference - first;
  const V lost = (first - (difference - back)) - (second + back);
  if constexpr (kFusedFma) {
    const V second_low = fma(k, broadcast<V>(0x1.1a62633145c07p-54), -second);
    return {biased, difference, fma(k, broadcast<V>(0x1.f1976b7ed8fbcp-110), lost - second_low)};
  }
  const V third = lost - k * 0x1.98a2e037p-77;
  const V r = difference + third;
  return {biased, r, ((difference - r) + third) - k * 0x1.cd129024e088ap-115};
}

template <class V>
struct SineCosine {
  V sine, cosine;
};

/// sin and cos by the C library in the lanes with |z| > kSineLimit.
template <class V>
__attribute__((noinline, cold)) void replace_far_lanes(const V& z, SineCosine<V>& result) {
  for (int l = 0; l < kWidth<V>; ++l)
    if (__builtin_fabs(z[l]) > kSineLimit) {
      result.sine[l] = __builtin_sin(z[l]);
      result.cosine[l] = __builtin_cos(z[l]);
    }
}

/// sin(z) and cos(z); NaN for infinities. <= 1 ulp up to kSineLimit, then as the C library.
template <class V>
FLOWSCAPE_INLINE SineCosine<V> sine_cosine(V z) {
  const ReducedAngle<V> a = reduce_angle(z);
  const V r2 = a.r * a.r;
  const V half = 0.5 * r2;
  const V one_less = 1.0 - half;
  const V s = a.r + fma(a.r * r2, polynomial(r2, kSine), fnma(half, a.rest, a.rest));
  const V c = one_less + (((1.0 - one_less) - half) +
                          fma(r2 * r2, polynomial(r2, kCosine), -(a.r * a.rest)));
  const MaskOf<V> quadrant = bits(a.biased);
  const MaskOf<V> odd = (quadrant & 1) == 1;
  const V sine = from_bits<V>(bits(select<V>(odd, c, s)) ^ ((quadrant & 2) << 62));
  const V cosine = from_bits<V>(bits(select<V>(odd, s, c)) ^ (((quadrant + 1) & 2) << 62));
  SineCosine<V> result{select<V>(z == V{}, z, sine), cosine};
  if (__builtin_expect(any(abs(z) > broadcast<V>(kSineLimit)), 0)) replace_far_lanes(z, result);
  return result;
}

}  // namespace flowscape::elementary
