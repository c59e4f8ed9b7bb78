// Steps that take a flow across a kink of the activation, where its gradient jumps.
#pragma once

#include <cstdint>

#include "flowscape/objective/evaluator.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// A flow walks up to the kink and passes it in a step so short that the jump of the gradient moves
/// it by less than its tolerance. That step follows a straight line: stages on both sides of a kink
/// may take a step anywhere. If the gradient behind the kink leads back to it, the flow slides
/// along the kink, and is given up. docs/decisions/0017.
///
/// `slack` is the time for which a gradient that is wrong by the jump may act.
template <class Layout>
class KinkPassage {
 public:
  static constexpr int W = Layout::networks;
  using V = Vec<W>;
  using M = Mask<W>;

  explicit KinkPassage(Evaluator<Layout>& evaluator)
      : evaluator_(evaluator), size_(evaluator.parameters() * W),
        present_(evaluator.pattern_size()), next_(evaluator.pattern_size()),
        beyond_(evaluator.pattern_size()), point_(evaluator.pattern_size() > 0 ? size_ : 0) {}

  /// Whether the activation has kinks; nothing else is called if not.
  bool needed() const noexcept { return present_.size() > 0; }

  /// A run starts in lane l.
  void begin(int l) noexcept { longest_[l] = slack_[l] = 0.0; }

  /// The flows are at y.
  void stand(const double* y) noexcept { evaluator_.pattern(y, present_.data()); }

  /// Shortens the steps of busy lanes that a kink has refused and that are about to meet it again;
  /// returns those that have to pass it on a straight line.
  M shorten(M busy, V& h, const double* y, const double* gradient) noexcept {
    const M close = busy & (slack_ > 0.0);
    if (!any(close)) return M{};
    follow(h, y, gradient);
    const V fraction = evaluator_.first_crossing(present_.data(), beyond_.data());
    const M meeting = close & (fraction <= 1.0);
    const M straight = meeting & within_reach(fraction * h);
    h = select<V>(meeting, min(h, approach(fraction * h)), h);
    walks_ += meeting & ~straight & 1;
    correct(M{}, walks_ > kWalks);
    return straight;
  }

  /// Refused steps of length h may owe their error to a kink, which they need not have crossed.
  void suspect(M refused, V h, const double* y, const double* gradient) noexcept {
    refused &= slack_ <= 0.0;
    if (!any(refused)) return;
    follow(h, y, gradient);
    const V fraction = evaluator_.first_crossing(present_.data(), beyond_.data());
    slack_ = select<V>(refused & (fraction <= 1.0), kGuess * fraction * h, slack_);
    walks_ &= ~refused;
  }

  /// Puts the points a time h after y on a straight line into the lanes of `straight` of y_new.
  void go_straight(M straight, V h, const double* y, const double* gradient,
                   double* y_new) noexcept {
    follow(h, y, gradient);
    for (std::int64_t p = 0; p < size_; p += W)
      store(y_new + p, select<V>(straight, load<V>(point_.data() + p), load<V>(y_new + p)));
  }

  /// Lanes of `finite` whose steps to y_new cross a kink.
  M crossing(M finite, const double* y_new) noexcept {
    evaluator_.pattern(y_new, next_.data());
    fraction_ = evaluator_.first_crossing(present_.data(), next_.data());
    return finite & (fraction_ <= 1.0);
  }

  /// Of the crossing lanes those that pass. The gradients change by `jump` in a step of length h to
  /// the time t, in units of the tolerance per time.
  M passes(M crossing, M fine, V h, V t, V jump) noexcept {
    const V slack = max(kPart / max(jump, broadcast<V>(1e-290)), kTick * t);
    const M passed = crossing & fine & ((1.0 - fraction_) * h <= slack);
    longest_ = select<V>(crossing & ~passed, max(longest_, h), longest_);
    slack_ = select<V>(crossing, slack, slack_);
    walks_ &= ~crossing;
    return passed;
  }

  /// What to try after a crossing step of length h that was refused, or `next` if that is
  /// shorter: it is the kink, rather than the error it makes, that says how short.
  V retry(M crossing, M straight, M fine, V h, V next) const noexcept {
    const V nearer = approach(fraction_ * h);
    return select<V>(crossing & (fine | (~straight & (nearer <= 0.9 * h))), nearer, next);
  }

  /// Straight lines of these lanes had an error (`bent`), or did not meet the kink.
  void correct(M bent, M missed) noexcept {
    slack_ = select<V>(bent, kCut * slack_, select<V>(missed, V{}, slack_));
  }

  /// Of the lanes that passed, those whose gradient leads back: on both sides it points at the kink.
  /// `time` is one in which the parameters change by their own size, far above rounding. Weight decay
  /// alone leads towards the kink, too, by a fixed part of the distance a time, and never there.
  M slides(M passed, const double* y_new, const double* gradient_new, V time) noexcept {
    follow(time, y_new, gradient_new);
    const V decay = (2.0 * evaluator_.problem().l2) * time;
    return passed & evaluator_.turns_back(present_.data(), next_.data(), beyond_.data(), decay);
  }

  /// The longest step that was tried before a kink stood in the way of these lanes; 0 if none did.
  V resume(M passed) noexcept {
    const V step = select<V>(passed, longest_, V{});
    longest_ = select<V>(passed, V{}, longest_);
    slack_ = select<V>(passed, V{}, slack_);
    return step;
  }

 private:
  static constexpr double kPart = 0.3;     // of the tolerance, for the jump
  static constexpr double kShort = 0.999;  // of the way to a kink
  static constexpr double kTick = 1e-15;   // of the time, below which nothing is told apart
  static constexpr double kGuess = 1e-3;   // of the way to a kink
  static constexpr double kCut = 0.1;      // of the slack, where it was not enough
  static constexpr std::int64_t kWalks = 20;  // a flow may stay before a kink for good

  M within_reach(V way) const noexcept { return way <= 0.5 * slack_; }

  /// To a kink at the distance `way` but for a thousandth of it or, within reach, past it by half
  /// the slack.
  V approach(V way) const noexcept {
    return select<V>(within_reach(way), way + 0.5 * slack_, kShort * way);
  }

  /// The points a time after others on a straight line, and their patterns in `beyond_`.
  void follow(V time, const double* points, const double* gradient) noexcept {
    for (std::int64_t p = 0; p < size_; p += W)
      store(point_.data() + p, fnma(time, load<V>(gradient + p), load<V>(points + p)));
    evaluator_.pattern(point_.data(), beyond_.data());
  }

  Evaluator<Layout>& evaluator_;
  std::int64_t size_;
  AlignedBuffer present_, next_, beyond_, point_;
  V longest_{}, slack_{}, fraction_{};
  M walks_{};  // shortened steps since the last crossing
};

}  // namespace flowscape
