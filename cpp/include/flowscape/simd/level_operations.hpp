// Operations that AVX-512 has an instruction for and other levels have not.
#pragma once

#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Whether the level has `scale`.
#if defined(__AVX512F__)
inline constexpr bool kHasScale = true;
#else
inline constexpr bool kHasScale = false;
#endif

/// v·2^k for integral k, rounded once also where the result overflows or is subnormal. For use
/// under `if constexpr (kHasScale)`.
template <class V>
FLOWSCAPE_INLINE V scale(V v, V k) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return (V)_mm512_maskz_scalef_pd(0xff, (__m512d)v, (__m512d)k);
  if constexpr (kWidth<V> == 1)
    return V{_mm_cvtsd_f64(_mm_scalef_sd(_mm_set_sd(v[0]), _mm_set_sd(k[0])))};
#endif
  return v * k;
}

/// Whether the level has `lookup`.
#if defined(__AVX512F__)
inline constexpr bool kHasLookup = true;
#else
inline constexpr bool kHasLookup = false;
#endif

/// table[index mod 16] of 16 doubles aligned to 64 bytes, held in two registers. For use under
/// `if constexpr (kHasLookup)`.
template <class V>
FLOWSCAPE_INLINE V lookup(const double* table, MaskOf<V> index) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8)
    return (V)_mm512_permutex2var_pd(_mm512_load_pd(table), (__m512i)index,
                                     _mm512_load_pd(table + 8));
#endif
  V result;
  for (int l = 0; l < kWidth<V>; ++l) result[l] = table[index[l] & 15];
  return result;
}

/// 1/d for normal d with normal 1/d. On AVX-512 an estimate r with |e| = |1 - d r| < 2^-14 times
/// 1 + e + e² + e³, which leaves 2^-56 before the last rounding: below 0.7 ulp. It takes 7 of the
/// 32 slots of the two arithmetic ports for which the divider is busy, but 4 more than a division:
/// `1.0 / d` is better wherever the divider is not the bottleneck.
template <class V>
FLOWSCAPE_INLINE V reciprocal(V d) {
#if defined(__AVX512F__)
  V r;
  if constexpr (kWidth<V> == 8)
    r = (V)_mm512_maskz_rcp14_pd(0xff, (__m512d)d);
  else
    r = V{_mm_cvtsd_f64(_mm_rcp14_sd(_mm_set_sd(d[0]), _mm_set_sd(d[0])))};
  const V e = fnma(d, r, broadcast<V>(1.0));
  return fma(r, fma(e, fma(e, e, e), e), r);
#else
  return 1.0 / d;
#endif
}

}  // namespace flowscape
