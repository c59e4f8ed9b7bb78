// Ends a flow where its gradient reaches the target, not wherever the last step happens to end.
//
// The last steps of a stiff flow are long: one of them passes the target by several per cent of the
// flow time. Such a step is repeated with the length that leads to the crossing, found by
// interpolating the logarithm of the gradient between the ends that are known.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "flowscape/simd/vector.hpp"

namespace flowscape {

template <int W>
class Landing {
 public:
  using V = Vec<W>;
  using M = Mask<W>;

  void begin(int l) noexcept { lanes_[l] = {}; }

  /// Of the accepted lanes those whose step of length h went too far past the target. `before` and
  /// `after` are norms of the gradient at its ends, `floor` the one at which a flow ends anyhow.
  M passed(M accepted, V h, V target, V floor, V before, V after) noexcept {
    M far{};
    for (int l = 0; l < W; ++l) {
      if (!accepted[l]) continue;
      Lane& s = lanes_[l];
      s.step = 0.0;
      const bool reached = after[l] <= target[l];
      if (s.tries >= kTries || target[l] <= floor[l] || (!reached && s.beyond <= 0.0)) continue;
      const double aim = target[l] * (1.0 - 0.5 * kWindow), end = std::log(after[l] / aim);
      if (!reached) {
        s.beyond -= h[l];
        s.step = s.beyond * end / (end - s.beyond_log);
        if (!(s.step > 0.0)) s.step = s.beyond = 0.0;
      } else if (after[l] < target[l] * (1.0 - kWindow)) {
        const double start = std::log(before[l] / aim);
        s.beyond = h[l];
        s.beyond_log = end;
        s.step = h[l] * start / (start - end);
        far[l] = -1;
      }
      ++s.tries;
    }
    return far;
  }

  /// Length of the step that leads to the target, 0 if none is known; asked once.
  double step(int l) noexcept { return std::exchange(lanes_[l].step, 0.0); }

 private:
  static constexpr double kWindow = 1e-5;  // below the target, relative: where a step may end
  static constexpr int kTries = 8;

  struct Lane {
    double step = 0.0;
    double beyond = 0.0;      // time to a point known to lie past the target, or 0
    double beyond_log = 0.0;  // logarithm of the gradient there over the aim
    int tries = 0;
  };
  Lane lanes_[W];
};

}  // namespace flowscape
