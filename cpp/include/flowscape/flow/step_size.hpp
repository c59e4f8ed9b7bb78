// Lengths of the steps of a one-step method: control of the local error in every lane.
#pragma once

#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// square^(-1 / (2 order)) = error^(-1 / order) within 1e-5, 1e-60 <= square <= 1e60.
template <int order, class V>
FLOWSCAPE_INLINE V inverse_root(V square) noexcept {
  static_assert(order == 4 || order == 5);
  if constexpr (order == 4) return 1.0 / sqrt(sqrt(sqrt(square)));
  // Newton's iteration for 1 / r^10 = square. It starts from the tenth part of the bits of
  // `square`, as a sum of shifts: logarithms within 0.1.
  const MaskOf<V> one = bits(broadcast<V>(1.0));
  const MaskOf<V> above = bits(square) - one;
  const MaskOf<V> tenth =
      (above >> 4) + (above >> 5) + (above >> 8) + (above >> 9) + (above >> 12);
  V r = from_bits<V>(one - tenth);
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const V r2 = r * r, r4 = r2 * r2;
    r *= fnma(square * (0.1 * r2), r4 * r4, broadcast<V>(1.1));
  }
  return r;
}

/// Elementary control: the step that would have had the error `kSafety` to the order.
template <int W, int order>
class StepSize {
 public:
  using V = Vec<W>;
  using M = Mask<W>;

  /// A run starts in lane l.
  void begin(int l) noexcept { grow_[l] = kGrow; }

  /// The step after one of length h, whose error in units of the tolerance is the root of `error2`;
  /// `sound`: that number means something. Never longer than h right after a rejection.
  V next(V h, V error2, M accepted, M sound) noexcept {
    const V square = max(min(error2, broadcast<V>(1e60)), broadcast<V>(1e-30));
    V factor = kSafety * inverse_root<order>(square);
    factor = max(min(factor, grow_), broadcast<V>(kShrink));
    factor = select<V>(accepted, factor, min(factor, broadcast<V>(kSafety)));
    factor = select<V>(sound, factor, broadcast<V>(kShrink));
    grow_ = select<V>(accepted, broadcast<V>(kGrow), broadcast<V>(1.0));
    return h * factor;
  }

 private:
  static constexpr double kSafety = 0.9, kShrink = 0.2, kGrow = 6.0;  // changes of a step

  V grow_{};
};

}  // namespace flowscape
