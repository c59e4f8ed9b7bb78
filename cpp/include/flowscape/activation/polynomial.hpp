// Polynomials with fixed coefficients, evaluated in vectors.
#pragma once

#include <cstddef>

#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

namespace detail {
/// c[first] + c[first + step] x + c[first + 2 step] x² + ... by Horner's rule.
template <int first, int step, class V, std::size_t n>
FLOWSCAPE_INLINE V horner(V x, const double (&c)[n]) {
  if constexpr (first + step >= static_cast<int>(n))
    return broadcast<V>(c[first]);
  else
    return fma(horner<first + step, step>(x, c), x, broadcast<V>(c[first]));
}
}  // namespace detail

/// c[0] + c[1] x + ... as even(x²) + x odd(x²): two short chains instead of one long one.
template <class V, std::size_t n>
FLOWSCAPE_INLINE V polynomial(V x, const double (&c)[n]) {
  const V square = x * x;
  return fma(detail::horner<1, 2>(square, c), x, detail::horner<0, 2>(square, c));
}

}  // namespace flowscape::elementary
