// Fixed-width vectors of doubles: with level_operations.hpp the one place that names an instruction
// set.
//
// V stands for a GCC vector type (`Vec<W>`) everywhere. `Lanes` is the native width of the
// level this file is compiled for; `Vec<1>` runs the same code for a single network.
// Contraction is off (-ffp-contract=off), so a fused multiply-add happens where `fma` is
// written and nowhere else. On levels without the instruction it is a multiply and an add.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace flowscape {

#if defined(__AVX512F__)
inline constexpr int kLanes = 8;
#elif defined(__AVX2__)
inline constexpr int kLanes = 4;
#else
inline constexpr int kLanes = 2;
#endif

namespace detail {
template <int W>
struct VectorOf {
  typedef double real __attribute__((vector_size(8 * W)));
  typedef std::int64_t integer __attribute__((vector_size(8 * W)));
};
}  // namespace detail

/// W doubles; W is 1 or `kLanes`.
template <int W>
using Vec = typename detail::VectorOf<W>::real;

/// W 64-bit integers; as a mask every lane is 0 or -1.
template <int W>
using Mask = typename detail::VectorOf<W>::integer;

template <class V>
inline constexpr int kWidth = static_cast<int>(sizeof(V) / sizeof(double));

template <class V>
using MaskOf = Mask<kWidth<V>>;

using Native = Vec<kLanes>;

#define FLOWSCAPE_INLINE inline __attribute__((always_inline))

template <class V>
FLOWSCAPE_INLINE V broadcast(double x) {
  return x - V{};
}

/// Aligned load and store: `p` is a multiple of sizeof(V).
template <class V>
FLOWSCAPE_INLINE V load(const double* p) {
  return *reinterpret_cast<const V*>(__builtin_assume_aligned(p, sizeof(V)));
}
template <class V>
FLOWSCAPE_INLINE void store(double* p, V v) {
  *reinterpret_cast<V*>(__builtin_assume_aligned(p, sizeof(V))) = v;
}
template <class V>
FLOWSCAPE_INLINE V load_unaligned(const double* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
FLOWSCAPE_INLINE void store_unaligned(double* p, V v) {
  std::memcpy(p, &v, sizeof v);
}

/// Aligned store past the caches; `stream_fence` orders such stores before later ones.
template <class V>
FLOWSCAPE_INLINE void stream(double* p, V v) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return _mm512_stream_pd(p, (__m512d)v);
#endif
#if defined(__AVX__)
  if constexpr (kWidth<V> == 4) return _mm256_stream_pd(p, (__m256d)v);
#endif
#if defined(__SSE2__)
  if constexpr (kWidth<V> == 2) return _mm_stream_pd(p, (__m128d)v);
#endif
  store(p, v);
}
FLOWSCAPE_INLINE void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

/// The first n of the W doubles at p, 0 < n <= W, the rest 0; and the reverse. Nothing else is
/// touched.
template <class V>
FLOWSCAPE_INLINE V load_first(const double* p, int n) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8)
    return (V)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
#endif
  V v{};
  for (int l = 0; l < n; ++l) v[l] = p[l];
  return v;
}
template <class V>
FLOWSCAPE_INLINE void store_first(double* p, V v, int n) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8)
    return _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), (__m512d)v);
#endif
  if (n == kWidth<V>) return store_unaligned(p, v);
  for (int l = 0; l < n; ++l) p[l] = v[l];
}

namespace detail {
/// Exchanges the off-diagonal blocks of side `half` in rows r and r + half.
template <int half, class V, int... l>
FLOWSCAPE_INLINE void exchange_blocks(V& a, V& b, std::integer_sequence<int, l...>) {
  constexpr int W = kWidth<V>;
  const V low = __builtin_shufflevector(a, b, (l & half ? W + l - half : l)...);
  b = __builtin_shufflevector(a, b, (l & half ? W + l : l + half)...);
  a = low;
}

template <int half, class V>
FLOWSCAPE_INLINE void transpose_blocks(V* rows) {
  constexpr int W = kWidth<V>;
#pragma GCC unroll 8
  for (int r = 0; r < W; ++r)
    if ((r & half) == 0)
      exchange_blocks<half>(rows[r], rows[r + half], std::make_integer_sequence<int, W>());
  if constexpr (half > 1) transpose_blocks<half / 2>(rows);
}
}  // namespace detail

/// rows[r][l] <-> rows[l][r].
template <class V>
FLOWSCAPE_INLINE void transpose(V (&rows)[kWidth<V>]) {
  if constexpr (kWidth<V> > 1) detail::transpose_blocks<kWidth<V> / 2>(rows);
}

/// a·b + c; one rounding where the level has the instruction, two where it has not.
template <class V>
FLOWSCAPE_INLINE V fma(V a, V b, V c) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#endif
#if defined(__FMA__)
  if constexpr (kWidth<V> == 4) return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
  if constexpr (kWidth<V> == 1) return V{__builtin_fma(a[0], b[0], c[0])};
#endif
  return a * b + c;
}

/// c - a·b with the rounding of `fma`.
template <class V>
FLOWSCAPE_INLINE V fnma(V a, V b, V c) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return (V)_mm512_fnmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#endif
#if defined(__FMA__)
  if constexpr (kWidth<V> == 4) return (V)_mm256_fnmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
  if constexpr (kWidth<V> == 1) return V{__builtin_fma(-a[0], b[0], c[0])};
#endif
  return c - a * b;
}

/// Whether `fma` rounds once.
#if defined(__FMA__) || defined(__AVX512F__)
inline constexpr bool kFusedFma = true;
#else
inline constexpr bool kFusedFma = false;
#endif

/// Lanes below `count`.
template <class V>
FLOWSCAPE_INLINE MaskOf<V> lanes_below(std::int64_t count) {
  MaskOf<V> mask{};
  for (int l = 0; l < kWidth<V>; ++l) mask[l] = l < count ? -1 : 0;
  return mask;
}

/// Lane by lane: m ? a : b.
template <class V>
FLOWSCAPE_INLINE V select(MaskOf<V> m, V a, V b) {
  return m ? a : b;
}

template <class V>
FLOWSCAPE_INLINE MaskOf<V> bits(V v) {
  return (MaskOf<V>)v;
}
template <class V>
FLOWSCAPE_INLINE V from_bits(MaskOf<V> m) {
  return (V)m;
}
template <class V>
FLOWSCAPE_INLINE V abs(V v) {
  return (V)((MaskOf<V>)v & (std::int64_t)0x7fffffffffffffffLL);
}
/// -|v|.
template <class V>
FLOWSCAPE_INLINE V minus_abs(V v) {
  return (V)((MaskOf<V>)v | INT64_MIN);
}
template <class V>
FLOWSCAPE_INLINE V copysign(V magnitude, V sign) {
  constexpr std::int64_t top = INT64_MIN;
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8)  // top ? sign : magnitude, bit by bit
    return (V)_mm512_ternarylogic_epi64(_mm512_set1_epi64(top), (__m512i)sign,
                                        (__m512i)magnitude, 0xca);
#endif
  return (V)(((MaskOf<V>)magnitude & ~top) | ((MaskOf<V>)sign & top));
}

/// Smaller and larger of two; the second argument where either is NaN.
template <class V>
FLOWSCAPE_INLINE V min(V a, V b) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return (V)_mm512_maskz_min_pd(0xff, (__m512d)a, (__m512d)b);
#endif
#if defined(__AVX__)
  if constexpr (kWidth<V> == 4) return (V)_mm256_min_pd((__m256d)a, (__m256d)b);
#endif
#if defined(__SSE2__)
  if constexpr (kWidth<V> == 2) return (V)_mm_min_pd((__m128d)a, (__m128d)b);
#endif
  return select<V>(a < b, a, b);
}
template <class V>
FLOWSCAPE_INLINE V max(V a, V b) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return (V)_mm512_maskz_max_pd(0xff, (__m512d)a, (__m512d)b);
#endif
#if defined(__AVX__)
  if constexpr (kWidth<V> == 4) return (V)_mm256_max_pd((__m256d)a, (__m256d)b);
#endif
#if defined(__SSE2__)
  if constexpr (kWidth<V> == 2) return (V)_mm_max_pd((__m128d)a, (__m128d)b);
#endif
  return select<V>(a > b, a, b);
}

template <class V>
FLOWSCAPE_INLINE V sqrt(V v) {
#if defined(__AVX512F__)
  if constexpr (kWidth<V> == 8) return (V)_mm512_sqrt_pd((__m512d)v);
#endif
#if defined(__AVX__)
  if constexpr (kWidth<V> == 4) return (V)_mm256_sqrt_pd((__m256d)v);
#endif
  V r;
  for (int l = 0; l < kWidth<V>; ++l) r[l] = __builtin_sqrt(v[l]);
  return r;
}

/// Whether a lane of the mask is set.
template <class M>
FLOWSCAPE_INLINE bool any(M m) {
#if defined(__AVX512F__)
  if constexpr (sizeof(M) == 64)
    return _mm512_cmplt_epi64_mask((__m512i)m, _mm512_setzero_si512()) != 0;
#endif
#if defined(__AVX__)
  if constexpr (sizeof(M) == 32) return _mm256_movemask_pd((__m256d)m) != 0;
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(M) == 16) return _mm_movemask_pd((__m128d)m) != 0;
#endif
  std::int64_t seen = 0;
  for (int l = 0; l < static_cast<int>(sizeof(M) / 8); ++l) seen |= m[l];
  return seen != 0;
}

/// Sum over lanes by halving: the order is fixed by the width alone.
template <class V>
FLOWSCAPE_INLINE double horizontal_sum(V v) {
  double s[kWidth<V>];
  std::memcpy(s, &v, sizeof v);
  for (int half = kWidth<V> / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) s[l] += s[l + half];
  return s[0];
}

}  // namespace flowscape
