// Norms of the vectors of several networks at once, [component][lane].
#pragma once

#include <cstdint>
#include <limits>

#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Infinity norm of each lane; infinite where any component is not finite.
template <class V>
V infinity_norm(const double* vectors, std::int64_t size) noexcept {
  V largest{}, poison{};
  for (std::int64_t p = 0; p < size; p += kWidth<V>) {
    const V v = load<V>(vectors + p);
    largest = max(abs(v), largest);
    poison = fma(v, V{}, poison);  // stays 0 unless some component is infinite or NaN
  }
  return select<V>(poison == 0.0, largest,
                   broadcast<V>(std::numeric_limits<double>::infinity()));
}

/// The sum of squares of (a - b) / (atol + rtol max(|y|, |y_new|)) in each lane.
template <class V>
V weighted_square(const double* a, const double* b, V atol, double rtol, const double* y,
                  const double* y_new, std::int64_t size) noexcept {
  V sum{};
  for (std::int64_t p = 0; p < size; p += kWidth<V>) {
    const V largest = max(abs(load<V>(y + p)), abs(load<V>(y_new + p)));
    const V part = (load<V>(a + p) - load<V>(b + p)) / (atol + rtol * largest);
    sum = fma(part, part, sum);
  }
  return sum;
}

}  // namespace flowscape
