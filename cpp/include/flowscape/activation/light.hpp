// Activations of so few operations that a backward pass computes them again.
//
//   V kept;  V f = Light<Function, V>::value(z, kept, far);  // far: the larger of it and |z|'s measure
//   Light<Function, V>::slope(z, kept, f, f1);               // again f, and f1
//
// `kept` is all that has to be remembered of z, if kKeeps; value and slope have the bits of
// Function::apply unless `far` exceeds kFar.
#pragma once

#include <limits>

#include "flowscape/activation/functions.hpp"

namespace flowscape {

template <template <class> class Function, class V>
struct Light {
  static constexpr bool kKeeps = false;
  static constexpr double kFar = std::numeric_limits<double>::infinity();
  static FLOWSCAPE_INLINE V value(V z, V&, V&) {
    V f, none;
    Function<V>::template apply<0>(z, f, none, none);
    return f;
  }
  static FLOWSCAPE_INLINE void slope(V z, V, V& f, V& f1) {
    V none;
    Function<V>::template apply<1>(z, f, f1, none);
  }
};

/// Keeps 1/(1 + z²) or, where z times it would be off by more than 2 ulp, the value.
template <class V>
struct Light<Rational, V> {
  static constexpr bool kKeeps = true;
  static constexpr double kFar = Rational<V>::kFar * Rational<V>::kFar;
  static FLOWSCAPE_INLINE V value(V z, V& kept, V& far) {
    const V sum = Rational<V>::denominator(z);
    far = max(sum, far);
    if constexpr (!kFusedFma) return kept = z / sum;
    kept = reciprocal(sum);
    return z * kept;
  }
  static FLOWSCAPE_INLINE void slope(V z, V kept, V& f, V& f1) {
    if constexpr (kFusedFma) {
      f = z * kept;
      f1 = Rational<V>::slope(z, kept);
    } else {
      f = kept;
      f1 = Rational<V>::slope(z, reciprocal(Rational<V>::denominator(z)));
    }
  }
};

}  // namespace flowscape
