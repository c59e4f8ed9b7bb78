// Arc tangent, sine and cosine.
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

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
