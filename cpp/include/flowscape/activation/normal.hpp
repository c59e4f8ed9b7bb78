// The error function and the normal tail.
#pragma once

#include "flowscape/activation/coefficients.hpp"
#include "flowscape/activation/compensated.hpp"
#include "flowscape/activation/exponential.hpp"
#include "flowscape/activation/polynomial.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape::elementary {

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

}  // namespace flowscape::elementary
