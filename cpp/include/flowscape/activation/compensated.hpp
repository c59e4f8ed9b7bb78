// Rounding errors of products, and quotients corrected by them.
#pragma once

#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

namespace detail {
/// The leading 26 bits.
template <class V>
FLOWSCAPE_INLINE V top(V v) {
  return from_bits<V>(bits(v) & ~static_cast<std::int64_t>(0x7ffffff));
}
}  // namespace detail

/// a·b - rounded, where `rounded` is a·b in double: exact, up to 2^-106 of it without a fused
/// fma, unless something underflows.
template <class V>
FLOWSCAPE_INLINE V product_error(V a, V b, V rounded) {
  if constexpr (kFusedFma) return fma(a, b, -rounded);
  const V a_top = detail::top(a), a_rest = a - a_top;
  const V b_top = detail::top(b), b_rest = b - b_top;
  return (((a_top * b_top - rounded) + a_top * b_rest) + a_rest * b_top) + a_rest * b_rest;
}

/// An unevaluated sum; |low| is at most an ulp of `high`.
template <class V>
struct Sum {
  V high, low;
};

/// a·b without error where nothing underflows.
template <class V>
FLOWSCAPE_INLINE Sum<V> exact_product(V a, V b) {
  const V high = a * b;
  return {high, product_error(a, b, high)};
}

/// above / below from the rough `reciprocal` of below.high, rounded once but for 2^-100 of it.
template <class V>
FLOWSCAPE_INLINE V quotient(Sum<V> above, Sum<V> below, V reciprocal) {
  const V rough = above.high * reciprocal;
  const V product = below.high * rough;
  const V rest = (above.high - product) - product_error(below.high, rough, product);
  return fma(rest + fnma(below.low, rough, above.low), reciprocal, rough);
}

}  // namespace flowscape::elementary
