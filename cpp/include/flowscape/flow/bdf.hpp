// Multistep method for theta' = -gradient: NDF of order 1 to 5 (ndf.hpp) at quasi-constant step,
// solved by Newton's method with the exact Hessian. For gradients that cost much: a step takes
// between one and two evaluations.
//
// Where the Hessian costs little more than the gradient both are evaluated at the predicted point,
// and what Newton's first step leaves is quadratic in it. That remainder is measured now and then
// by a second evaluation, and taken on trust in between. Where the Hessian is dear it is kept
// until the iteration converges slowly.
//
// Loss and gradient of a point that was not itself evaluated come from the equation it solves: the
// slope is the formula's own, the loss follows by the trapezoidal rule. `modelled` says where; the
// integrator evaluates such a point before it ends a run there (docs/decisions/0010).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "flowscape/flow/backward_differences.hpp"
#include "flowscape/flow/costs.hpp"
#include "flowscape/flow/landing.hpp"
#include "flowscape/flow/symmetric_solver.hpp"
#include "flowscape/objective/evaluator.hpp"

namespace flowscape {

template <class Layout>
class BdfStep {
 public:
  static constexpr int W = Layout::networks;
  static constexpr int highest_order = Ndf::highest;
  static constexpr int order = highest_order;
  static constexpr bool needs_hessian = false;  ///< keeps its own; the integrator shall not move it
  static constexpr bool corrects = false;
  static constexpr std::int64_t gradients_per_step = 0;  ///< counts itself
  using V = Vec<W>;
  using M = Mask<W>;

  /// What a trial step reads and writes; arrays [.][W] as in the integrator.
  struct Trial {
    M live;  ///< lanes that hold a run
    V h;     ///< step to try
    V atol;
    double rtol;
    V loss_slack;     ///< error that the model of the loss may have
    V target, floor;  ///< gradients at which the run may end, and cannot but end
    const double* y;
    double *y_new, *loss, *gradient, *error;  ///< at the new point; error is the estimate
    double *hessian, *hessian_scratch;        ///< the one kept, in and out; room for another
    M &gradients, &hessians;                  ///< evaluations of each lane
  };

  explicit BdfStep(std::int64_t parameters)
      : size_(parameters * W), mean_(1.0 / static_cast<double>(parameters)), solver_(parameters),
        differences_(parameters), predicted_(size_), slope_(size_), sum_(size_), delta_(size_),
        weight_(size_), trial_gradient_(size_), trial_loss_(W) {}

  /// A run starts in the lanes of `fresh`, with the Hessian at y as the one kept.
  void begin(const Evaluator<Layout>& evaluator, M fresh, const double* y,
             const double* gradient) noexcept {
    const ProblemData& problem = evaluator.problem();
    keeps_hessian_ = OperationCounts(problem.shape, problem.samples).hessian_is_dear();
    differences_.begin(fresh, y, gradient);
    present_model_ &= ~fresh;
    stale_ &= ~fresh;
    for (int l = 0; l < W; ++l) {
      if (!fresh[l]) continue;
      landing_.begin(l);
      trust_[l] = {};
      limit_[l] = kGrow;
      failures_[l] = 0;
      shift_[l] = 0.0;
    }
  }

  /// All lanes at one order for good, from points at distance h: for measuring orders.
  void fix_order(int order, double h, const double* points) noexcept {
    fixed_ = true;
    differences_.begin_at(order, h, points);
  }

  /// A trial step; returns the lanes that were refused: their equation could not be solved.
  M attempt(Evaluator<Layout>& evaluator, const Trial& s) noexcept {
    predict(s);
    M open = s.live, refused{};
    model_ = M{};
    for (int pass = 0; pass < 2 && any(open); ++pass) {
      const M fresh = pass > 0 || !keeps_hessian_ ? open : open & stale_;
      const M unsolvable = linearise(evaluator, s, open, fresh);
      refused |= unsolvable;
      open = iterate(evaluator, s, open & ~unsolvable, refused);
    }
    for (std::int64_t p = 0; p < size_; p += W)
      store(s.error + p, error_constant_ * load<V>(sum_.data() + p));
    return refused;
  }

  /// Of the accepted lanes those to be repeated because they went past the end of their run.
  M passed_target(const Trial& s, M accepted, V before, V after) noexcept {
    return landing_.passed(accepted, s.h, s.target, s.floor, before, after);
  }

  /// Takes the accepted lanes to the new point and returns the length of the next step.
  V advance(const Trial& s, M accepted, M solved, V error2) noexcept {
    present_model_ = choose(accepted, model_, present_model_);
    differences_.shift(accepted, s.y_new, sum_.data());
    V next = s.h;
    for (int l = 0; l < W; ++l) {
      if (!s.live[l]) continue;
      if (const double h = landing_.step(l); h > 0.0) next[l] = h;
      else if (accepted[l]) next[l] *= after_success(s, l, error2[l]);
      else next[l] *= after_failure(l, solved[l] != 0, error2[l]);
    }
    return next;
  }

  /// Lanes whose loss and gradient at the present point are the model's, until they have been
  /// evaluated.
  M modelled() const noexcept { return present_model_; }
  void evaluated(M lanes) noexcept { present_model_ &= ~lanes; }

  double interpolate(const double*, const double*, std::int64_t p, int l, double x) const noexcept {
    return differences_.interpolate(p, l, x);
  }

 private:
  static constexpr int kRounds = 4;        // Newton steps
  static constexpr double kSolved = 1e-3;  // Newton's remainder, in units of the tolerance
  static constexpr double kSlow = 0.3;     // rate at which a kept Hessian is renewed
  static constexpr int kTrust = 8;         // steps between measurements of the remainder
  static constexpr double kMargin = 4.0;   // of an expected remainder against the one measured
  static constexpr double kNear = 4.0;     // gradients this near the target are evaluated
  static constexpr double kSafety = 0.8, kShrink = 0.2, kUnsolved = 0.4;
  static constexpr double kGrow = 4.0;     // of a step; more lets rounding into high differences
  static constexpr double kTie = 10.0;     // growth as good as any more: lower orders come first

  /// What is known of Newton's remainder.
  struct Trust {
    double rate = 1.0;  // remainder over step; over its square if the Hessian was fresh
    double h = 1.0;     // length of the step it was measured in
    int age = kTrust;   // steps since
  };

  FLOWSCAPE_INLINE static void put(M where, double* to, V value) noexcept {
    store(to, select<V>(where, value, load<V>(to)));
  }
  static M choose(M where, M a, M b) noexcept { return (where & a) | (~where & b); }

  /// The formula's own slope y' at the new point.
  FLOWSCAPE_INLINE V own_slope(std::int64_t p) const noexcept {
    return fma(leading_, load<V>(sum_.data() + p), load<V>(slope_.data() + p));
  }

  void predict(const Trial& s) noexcept {
    differences_.rescale(s.h);
    differences_.predict(predicted_.data(), slope_.data());
    V alpha;
    for (int l = 0; l < W; ++l) {
      alpha[l] = Ndf::alpha(differences_.order(l));
      error_constant_[l] = Ndf::error(differences_.order(l));
    }
    leading_ = alpha / s.h;
    for (std::int64_t p = 0; p < size_; p += W) {
      const V largest = max(abs(load<V>(s.y + p)), abs(load<V>(predicted_.data() + p)));
      store(weight_.data() + p, 1.0 / (s.atol + s.rtol * largest));
    }
  }

  /// First evaluation, at the predicted point, and the factors of H + leading I, with a new Hessian
  /// in the lanes of `fresh`. Returns the open lanes where that matrix is not positive definite.
  M linearise(Evaluator<Layout>& evaluator, const Trial& s, M open, M fresh) noexcept {
    for (std::int64_t p = 0; p < size_; p += W) {
      put(open, s.y_new + p, load<V>(predicted_.data() + p));
      put(open, sum_.data() + p, V{});
    }
    const bool renew = any(fresh);
    evaluator.evaluate(renew ? 2 : 1, s.y_new, trial_loss_.data(), trial_gradient_.data(),
                       s.hessian_scratch);
    s.gradients -= open & ~fresh;
    s.hessians -= fresh;
    const std::int64_t triangle_size = triangle(size_ / W) * W;
    if (renew)
      for (std::int64_t i = 0; i < triangle_size; i += W)
        put(fresh, s.hessian + i, load<V>(s.hessian_scratch + i));
    if (renew || any((leading_ != shift_) & open)) {
      unfactored_ = solver_.factor(s.hessian, leading_);
      shift_ = leading_;
    }
    fresh_ = choose(open, fresh, fresh_);
    stale_ &= ~fresh;
    keep(s, open);  // a refused step is told from an overflow by its loss and gradient
    return open & unfactored_;
  }

  /// Newton's iteration in the open lanes. Those that fail with a Hessian of another point are
  /// returned, to be tried again with their own; those that fail with that one join `refused`.
  M iterate(Evaluator<Layout>& evaluator, const Trial& s, M open, M& refused) noexcept {
    const bool kinks = evaluator.pattern_size() > 0;
    M again{}, near{};
    V before{};
    for (int round = 0; any(open); ++round) {
      if (round > 0) {
        evaluator.evaluate(1, s.y_new, trial_loss_.data(), trial_gradient_.data(), nullptr);
        s.gradients -= open;
      }
      const auto [norm, residual, energy] = newton_step();
      // At the point just evaluated: done, failed, or one more step.
      M done{}, failed{}, step{};
      for (int l = 0; l < W; ++l) {
        if (!open[l]) continue;
        const double rate = round > 0 ? norm[l] / before[l] : 0.0;
        if (round == 1) remember(l, rate, before[l]);
        // Near the target go on until the gradient is known to a tenth of it, or to rounding.
        const bool settled =
            !near[l] || residual[l] <= 0.1 * s.target[l] || rate > 0.5 || round == kRounds;
        if (round > 0 && norm[l] <= kSolved && settled) done[l] = -1;
        else if (!(norm[l] <= std::numeric_limits<double>::max()) || rate >= 1.0 ||
                 round == kRounds)
          failed[l] = -1;
        else step[l] = -1;
      }
      keep(s, done | failed);
      const V slope = take_step(s, step);
      M trusted{};
      for (int l = 0; l < W; ++l) {
        if (!step[l]) continue;
        near[l] = slope[l] <= kNear * s.target[l] ? -1 : 0;
        const double rate = round > 0 ? norm[l] / before[l] : expected_rate(l, norm[l]);
        const bool small = rate < 1.0 && rate / (1.0 - rate) * norm[l] <= kSolved &&
                           rate * energy[l] <= s.loss_slack[l];
        if (small && !near[l] && !kinks) trusted[l] = -1;
        if (trusted[l] && round == 0) ++trust_[l].age;
      }
      keep_model(s, trusted);
      refused |= failed & fresh_;
      again |= failed & ~fresh_;
      before = norm;
      open = step & ~trusted;
    }
    return again;
  }

  struct NewtonStep {
    V norm;      // root mean square in units of the tolerance
    V residual;  // infinity norm of what is solved for
    V energy;    // residual times step
  };
  /// delta = (H + leading I)^{-1} (F - own slope) at the point just evaluated.
  NewtonStep newton_step() noexcept {
    for (std::int64_t p = 0; p < size_; p += W)
      store(delta_.data() + p, residual(p));
    solver_.solve(delta_.data());
    NewtonStep step{};
    for (std::int64_t p = 0; p < size_; p += W) {
      const V delta = load<V>(delta_.data() + p), r = residual(p);
      const V d = delta * load<V>(weight_.data() + p);
      step.norm = fma(d, d, step.norm);
      step.residual = max(abs(r), step.residual);
      step.energy = fma(r, delta, step.energy);
    }
    step.norm = sqrt(step.norm * mean_);
    return step;
  }
  FLOWSCAPE_INLINE V residual(std::int64_t p) const noexcept {
    return -load<V>(trial_gradient_.data() + p) - own_slope(p);
  }

  /// Moves the lanes of `where` by delta; returns the infinity norm of the formula's own slope.
  V take_step(const Trial& s, M where) noexcept {
    V largest{};
    if (!any(where)) return largest;
    for (std::int64_t p = 0; p < size_; p += W) {
      put(where, sum_.data() + p, load<V>(sum_.data() + p) + load<V>(delta_.data() + p));
      put(where, s.y_new + p, load<V>(predicted_.data() + p) + load<V>(sum_.data() + p));
      largest = max(abs(own_slope(p)), largest);
    }
    return largest;
  }

  /// Loss and gradient just evaluated are those of the new point.
  void keep(const Trial& s, M where) noexcept {
    if (!any(where)) return;
    for (std::int64_t p = 0; p < size_; p += W)
      put(where, s.gradient + p, load<V>(trial_gradient_.data() + p));
    put(where, s.loss, load<V>(trial_loss_.data()));
  }

  /// Loss and gradient after a step delta from the point just evaluated, by the model.
  void keep_model(const Trial& s, M where) noexcept {
    if (!any(where)) return;
    V change{};
    for (std::int64_t p = 0; p < size_; p += W) {
      const V slope = own_slope(p);
      const V both = load<V>(trial_gradient_.data() + p) - slope;
      change = fma(0.5 * both, load<V>(delta_.data() + p), change);
      put(where, s.gradient + p, -slope);
    }
    put(where, s.loss, load<V>(trial_loss_.data()) + change);
    model_ |= where;
  }

  /// The remainder of a first step is quadratic in it if the Hessian is that of the predicted
  /// point, else linear; it grows at most in proportion to h.
  void remember(int l, double rate, double norm) noexcept {
    trust_[l] = {fresh_[l] ? rate / norm : rate, differences_.step()[l], 0};
    stale_[l] = !fresh_[l] && rate > kSlow ? -1 : 0;
  }
  double expected_rate(int l, double norm) const noexcept {
    if (trust_[l].age >= kTrust) return 1.0;
    const double longer = std::max(1.0, differences_.step()[l] / trust_[l].h);
    return kMargin * trust_[l].rate * longer * (fresh_[l] ? norm : 1.0);
  }

  static double growth(double error, int order) noexcept {
    return std::min(kSafety * std::pow(std::max(error, 1e-15), -1.0 / (order + 1)), kTie);
  }

  /// Error of order j - 1, which is error(j - 1) nabla^j: root mean square in units of the tolerance.
  double error_of(const Trial& s, int j, int l) const noexcept {
    double sum = 0.0;
    for (std::int64_t p = l; p < size_; p += W) {
      const double largest = std::max(std::abs(s.y[p]), std::abs(s.y_new[p]));
      const double e = differences_.value(j, p) / (s.atol[l] + s.rtol * largest);
      sum += e * e;
    }
    return Ndf::error(j - 1) * std::sqrt(sum * mean_);
  }

  /// After order + 1 equal steps the errors of the neighbouring orders are known too: the order
  /// that allows the longest step is taken.
  double after_success(const Trial& s, int l, double error2) noexcept {
    failures_[l] = 0;
    const int k = differences_.order(l);
    if (fixed_ || differences_.equal_steps(l) <= k) return 1.0;
    double best = growth(std::sqrt(error2), k);
    int chosen = k;
    if (k > 1) {
      const double lower = growth(error_of(s, k, l), k - 1);
      if (lower >= best) best = lower, chosen = k - 1;
    }
    if (k < Ndf::highest) {
      const double higher = growth(error_of(s, k + 2, l), k + 1);
      if (higher > best) best = higher, chosen = k + 1;
    }
    differences_.set_order(l, chosen);
    const double limit = limit_[l];
    limit_[l] = std::min(kGrow, 2.0 * limit);
    return std::min(best, limit);
  }

  double after_failure(int l, bool solved, double error2) noexcept {
    const int k = differences_.order(l);
    if (++failures_[l] > 2 && k > 1) differences_.set_order(l, k - 1);
    if (solved && !(error2 <= 1.0))
      return std::max(std::min(growth(std::sqrt(error2), k), kSafety), kShrink);
    // The equation could not be solved or the loss rose, which no error estimate foresees: grow
    // again with care.
    limit_[l] = 1.0;
    return kUnsolved;
  }

  std::int64_t size_;
  double mean_;
  bool keeps_hessian_ = false, fixed_ = false;
  SymmetricSolver<W> solver_;
  BackwardDifferences<W> differences_;
  Landing<W> landing_;
  AlignedBuffer predicted_, slope_;  // prediction; the part of the slope that is known with it
  AlignedBuffer sum_, delta_;        // new point less prediction; its last correction
  AlignedBuffer weight_, trial_gradient_, trial_loss_;
  V leading_{}, shift_{};            // alpha / h of this step and of the factors
  V error_constant_{};
  M model_{}, present_model_{};      // of the new point, of the present one
  M fresh_{}, stale_{}, unfactored_{};
  Trust trust_[W];
  double limit_[W]{};                // of the growth of a step
  int failures_[W]{};                // in a row
};

}  // namespace flowscape
