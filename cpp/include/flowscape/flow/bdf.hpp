// Multistep method for theta' = -gradient: NDF of order 1 to 5 (ndf.hpp) at quasi-constant step,
// solved by Newton's method with the exact Hessian. Made for gradients that cost much: a step
// takes between one and two evaluations.
//
// Where the Hessian costs little more than the gradient both are evaluated at the predicted point,
// and Newton's first step is nearly exact: what it leaves is quadratic in the step. That is
// measured now and then by a second evaluation, and taken on trust in between. Where the Hessian
// is dear it is kept until the iteration converges slowly.
//
// Loss and gradient of a point that was not evaluated itself come from the model the step solved:
// the slope is the formula's own, the loss its trapezoidal rule. `modelled` says where; the
// integrator evaluates there before it ends a run (docs/decisions/0010).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "flowscape/flow/costs.hpp"
#include "flowscape/flow/ndf.hpp"
#include "flowscape/flow/symmetric_solver.hpp"
#include "flowscape/objective/evaluator.hpp"

namespace flowscape {

template <class Layout>
class BdfStep {
 public:
  static constexpr int W = Layout::networks;
  static constexpr bool needs_hessian = false;  ///< keeps its own; the integrator shall not move it
  static constexpr bool corrects = false;
  static constexpr std::int64_t gradients_per_step = 0;  ///< counts itself
  static constexpr int highest_order = Ndf::highest;
  static constexpr int order = highest_order;
  using V = Vec<W>;
  using M = Mask<W>;

  /// What a trial step reads and writes; arrays [.][W] as in the integrator.
  struct Trial {
    M live;  ///< lanes that hold a run
    V h;     ///< step to try
    V atol;
    double rtol;
    V target, floor;  ///< gradients at which the run may end, and cannot but end
    const double* y;
    double *y_new, *loss, *gradient, *error;  ///< at the new point; error is the estimate
    double *hessian, *hessian_scratch;        ///< the one kept, in and out; room for another
    std::int64_t *gradients, *hessians;       ///< [W], evaluations of each lane
  };

  explicit BdfStep(std::int64_t parameters)
      : size_(parameters * W), mean_(1.0 / static_cast<double>(parameters)), solver_(parameters),
        differences_(kDifferences * size_), predicted_(size_), slope_(size_), sum_(size_),
        delta_(size_), weight_(size_), trial_gradient_(size_), trial_loss_(W) {}

  /// A run starts in the lanes of `fresh`, with the Hessian at y as the one kept.
  void begin(const Evaluator<Layout>& evaluator, M fresh, const double* y,
             const double* gradient) noexcept {
    const ProblemData& problem = evaluator.problem();
    keeps_hessian_ = OperationCounts(problem.shape, problem.samples).hessian_is_dear();
    for (std::int64_t p = 0; p < size_; p += W) {
      put(fresh, difference(0) + p, load<V>(y + p));
      put(fresh, difference(1) + p, -load<V>(gradient + p));
      for (int j = 2; j < kDifferences; ++j) put(fresh, difference(j) + p, V{});
    }
    for (int l = 0; l < W; ++l) {
      if (!fresh[l]) continue;
      h_[l] = 1.0;
      order_[l] = 1;
      equal_[l] = failures_[l] = 0;
      age_[l] = kTrust;
      rate_[l] = 1.0;
      beyond_[l] = 0.0;
      aims_[l] = 0;
      stale_[l] = 0;
      shift_[l] = 0.0;
    }
  }

  /// Puts every lane on one order for good, with order + 1 points [.][P][W] at distance h, the
  /// latest first. For measuring orders.
  void fix_order(int order, double h, const double* points) noexcept {
    fixed_ = true;
    std::fill_n(order_, W, order);
    h_ = broadcast<V>(h);
    for (int j = 0; j <= order; ++j) std::copy_n(points + j * size_, size_, difference(j));
    for (int q = 1; q <= order; ++q)
      for (int j = order; j >= q; --j)
        for (std::int64_t p = 0; p < size_; ++p)
          difference(j)[p] = difference(j - 1)[p] - difference(j)[p];
  }

  /// A trial step; returns the lanes that were refused: the equation could not be solved.
  M attempt(Evaluator<Layout>& evaluator, const Trial& s) noexcept {
    rescale(s.h);
    predict(s);
    M open = s.live, refused{}, again{};
    model_ = M{};
    for (int pass = 0; pass < 2 && any(open); ++pass) {
      const M fresh = pass > 0 || !keeps_hessian_ ? open : open & stale_;
      const M unsolvable = linearise(evaluator, s, open, fresh);
      refused |= unsolvable;
      again = iterate(evaluator, s, open & ~unsolvable, refused);
      open = again;
    }
    for (std::int64_t p = 0; p < size_; p += W) {
      V d = load<V>(sum_.data() + p);
      store(s.error + p, error_constant_ * d);
    }
    return refused;
  }

  /// Of the accepted lanes those whose step went past the point where the gradient falls to its
  /// target: too long to say where a flow ends, and to be repeated with the length that leads
  /// there. `before` and `after` are norms of the gradient at both ends.
  M passed_target(const Trial& s, M accepted, V before, V after) noexcept {
    M passed{};
    for (int l = 0; l < W; ++l) {
      if (!accepted[l]) continue;
      const double aim = s.target[l] * (1.0 - 0.5 * kWindow);
      const bool short_of = after[l] > s.target[l];
      aimed_[l] = 0.0;
      if (aims_[l] >= kAims || s.target[l] <= s.floor[l] || (short_of && !(beyond_[l] > 0.0)))
        continue;
      if (short_of) {
        // Between two ends known: the logarithm of the gradient is taken as linear in time.
        beyond_[l] -= s.h[l];
        const double now = std::log(after[l] / aim);
        aimed_[l] = beyond_[l] * now / (now - slope_beyond_[l]);
        if (!(aimed_[l] > 0.0)) aimed_[l] = beyond_[l] = 0.0;
      } else if (after[l] < s.target[l] * (1.0 - kWindow)) {
        beyond_[l] = s.h[l];
        slope_beyond_[l] = std::log(after[l] / aim);
        const double first = std::log(before[l] / aim);
        aimed_[l] = s.h[l] * first / (first - slope_beyond_[l]);
        passed[l] = -1;
      }
      ++aims_[l];
    }
    return passed;
  }

  /// Takes the accepted lanes to the new point and returns the length of the next step.
  V advance(const Trial& s, M accepted, M solved, V error2) noexcept {
    std::copy_n(order_, W, last_order_);
    shift_differences(s, accepted);
    V next = s.h;
    for (int l = 0; l < W; ++l) {
      if (!s.live[l]) continue;
      if (aimed_[l] > 0.0) next[l] = aim(l, accepted[l] != 0);
      else if (accepted[l]) next[l] *= after_success(s, l, error2[l]);
      else next[l] *= after_failure(l, solved[l] != 0, error2[l]);
    }
    return next;
  }

  /// Lanes whose loss and gradient at the new point are the model's.
  M modelled() const noexcept { return model_; }
  void evaluated(M lanes) noexcept { model_ &= ~lanes; }

  double interpolate(const double*, const double*, std::int64_t p, int l, double x) const noexcept {
    double basis = 1.0, sum = differences_.data()[p * W + l];
    for (int j = 1; j <= last_order_[l]; ++j) {
      basis *= (x - 1.0 + (j - 1)) / j;
      sum += basis * differences_.data()[j * size_ + p * W + l];
    }
    return sum;
  }

 private:
  static constexpr int kDifferences = Ndf::highest + 3;
  static constexpr int kIterations = 4;   // Newton steps
  static constexpr int kTrust = 8;        // steps between measurements of Newton's remainder
  static constexpr double kMargin = 4.0;  // of a predicted remainder against a measured one
  static constexpr double kSolved = 1e-3; // remainder in units of the tolerance
  static constexpr double kSafety = 0.8, kShrink = 0.2, kGrow = 10.0, kUnsolved = 0.4;
  static constexpr double kWindow = 1e-5; // below the target, where a step may land
  static constexpr int kAims = 8;         // steps spent on landing there

  double* difference(int j) noexcept { return differences_.data() + j * size_; }
  FLOWSCAPE_INLINE static void put(M where, double* to, V value) noexcept {
    store(to, select<V>(where, value, load<V>(to)));
  }

  /// Brings the differences of every lane to its step h.
  void rescale(V h) noexcept {
    if (!any(h != h_)) return;
    M changed[Ndf::highest + 1]{};  // lanes whose q-th difference changes
    V matrix[6][6]{};
    for (int l = 0; l < W; ++l) {
      if (h[l] == h_[l]) continue;
      double of_lane[6][6]{};
      Ndf::rescaling(order_[l], h[l] / h_[l], of_lane);
      equal_[l] = 0;
      for (int q = 1; q <= order_[l]; ++q) {
        changed[q][l] = -1;
        for (int j = q; j <= Ndf::highest; ++j) matrix[j][q][l] = of_lane[j][q];
      }
    }
    for (std::int64_t p = 0; p < size_; p += W)
      for (int q = 1; q <= Ndf::highest; ++q) {
        V sum{};
        for (int j = q; j <= Ndf::highest; ++j)
          sum = fma(matrix[j][q], load<V>(difference(j) + p), sum);
        put(changed[q], difference(q) + p, sum);
      }
    h_ = h;
  }

  /// Predicted point, the part of the slope that is known, error weights.
  void predict(const Trial& s) noexcept {
    V use[Ndf::highest + 1], gamma[Ndf::highest + 1], alpha;
    for (int l = 0; l < W; ++l) {
      const int k = order_[l];
      alpha[l] = Ndf::alpha(k);
      error_constant_[l] = Ndf::error(k);
      for (int j = 1; j <= Ndf::highest; ++j) {
        use[j][l] = j <= k ? 1.0 : 0.0;
        gamma[j][l] = j <= k ? Ndf::gamma[j] : 0.0;
      }
    }
    const V inverse = 1.0 / s.h;
    leading_ = alpha * inverse;
    for (std::int64_t p = 0; p < size_; p += W) {
      V point{}, slope{};
      for (int j = Ndf::highest; j >= 1; --j) {
        const V d = load<V>(difference(j) + p);
        point = fma(use[j], d, point);
        slope = fma(gamma[j], d, slope);
      }
      const V y = load<V>(difference(0) + p);
      point = y + point;
      store(predicted_.data() + p, point);
      store(slope_.data() + p, slope * inverse);
      store(weight_.data() + p, 1.0 / (s.atol + s.rtol * max(abs(y), abs(point))));
    }
  }

  /// First evaluation, at the predicted point, and the factors of H + leading I; returns the open
  /// lanes where these do not exist.
  M linearise(Evaluator<Layout>& evaluator, const Trial& s, M open, M fresh) noexcept {
    for (std::int64_t p = 0; p < size_; p += W) {
      put(open, s.y_new + p, load<V>(predicted_.data() + p));
      put(open, sum_.data() + p, V{});
    }
    const bool second = any(fresh);
    evaluator.evaluate(second ? 2 : 1, s.y_new, trial_loss_.data(), trial_gradient_.data(),
                       s.hessian_scratch);
    for (int l = 0; l < W; ++l) {
      s.gradients[l] += open[l] ? 1 : 0;
      s.hessians[l] += fresh[l] ? 1 : 0;
    }
    if (second) {
      const std::int64_t count = triangle(size_ / W) * W;
      for (std::int64_t i = 0; i < count; i += W)
        put(fresh, s.hessian + i, load<V>(s.hessian_scratch + i));
    }
    fresh_ = select_mask(open, fresh, fresh_);
    if (second || any((leading_ != shift_) & open)) {
      unfactored_ = solver_.factor(s.hessian, leading_);
      shift_ = leading_;
    }
    stale_ &= ~fresh;
    // Loss and gradient must be told from overflow: the first is a step too long, so is the other,
    // but a run that cannot get away from overflow ends with that status.
    for (std::int64_t p = 0; p < size_; p += W)
      put(open, s.gradient + p, load<V>(trial_gradient_.data() + p));
    put(open, s.loss, load<V>(trial_loss_.data()));
    return open & unfactored_;
  }

  /// Newton's iteration in the lanes of `open`. Lanes that need a Hessian of their own are
  /// returned; those that fail with one are added to `refused`.
  M iterate(Evaluator<Layout>& evaluator, const Trial& s, M open, M& refused) noexcept {
    const bool kinks = evaluator.pattern_size() > 0;
    M again{}, near{};
    V before{};
    for (int round = 0; any(open); ++round) {
      if (round > 0) {
        evaluator.evaluate(1, s.y_new, trial_loss_.data(), trial_gradient_.data(), nullptr);
        for (int l = 0; l < W; ++l) s.gradients[l] += open[l] ? 1 : 0;
      }
      V residual{};
      for (std::int64_t p = 0; p < size_; p += W) {
        const V model = fma(leading_, load<V>(sum_.data() + p), load<V>(slope_.data() + p));
        const V r = -load<V>(trial_gradient_.data() + p) - model;
        residual = max(abs(r), residual);
        store(delta_.data() + p, r);
      }
      solver_.solve(delta_.data());
      V norm{};
      for (std::int64_t p = 0; p < size_; p += W) {
        const V d = load<V>(delta_.data() + p) * load<V>(weight_.data() + p);
        norm = fma(d, d, norm);
      }
      norm = sqrt(norm * mean_);
      // What to do with every lane: take the step, or stop where it is.
      M step{}, exact{}, failed{};
      for (int l = 0; l < W; ++l) {
        if (!open[l]) continue;
        if (!(norm[l] <= std::numeric_limits<double>::max())) {
          failed[l] = -1;
          continue;
        }
        if (round > 0) {
          const double rate = norm[l] / before[l];
          if (round == 1) remember(l, rate, before[l]);
          if (norm[l] <= kSolved && (!near[l] || residual[l] <= 0.1 * s.target[l] ||
                                     round == kIterations)) {
            exact[l] = -1;
            continue;
          }
          if (round == kIterations || rate >= 1.0) {
            failed[l] = -1;
            continue;
          }
        }
        step[l] = -1;
      }
      // Evaluated points first: their loss and gradient are exact.
      const M here = exact | failed;
      if (any(here)) keep(s, here);
      if (any(step)) {
        V slope{};
        for (std::int64_t p = 0; p < size_; p += W) {
          const V d = load<V>(sum_.data() + p) + load<V>(delta_.data() + p);
          put(step, sum_.data() + p, d);
          put(step, s.y_new + p, load<V>(predicted_.data() + p) + d);
          slope = max(abs(fma(leading_, d, load<V>(slope_.data() + p))), slope);
        }
        M trusted{};
        for (int l = 0; l < W; ++l) {
          if (!step[l]) continue;
          near[l] = slope[l] <= 4.0 * s.target[l] ? -1 : 0;
          const double rate = round > 0 ? norm[l] / before[l] : expected_rate(l, norm[l]);
          if (!kinks && !near[l] && rate < 1.0 && rate / (1.0 - rate) * norm[l] <= kSolved)
            trusted[l] = -1;
        }
        if (any(trusted)) keep_model(s, trusted);
        for (int l = 0; l < W; ++l) age_[l] += (trusted[l] && round == 0) ? 1 : 0;
        model_ |= trusted;
        step &= ~trusted;
      }
      for (int l = 0; l < W; ++l) {
        if (!failed[l]) continue;
        if (fresh_[l]) refused[l] = -1;
        else again[l] = -1;
      }
      before = norm;
      open = step;
    }
    return again;
  }

  /// Loss and gradient just evaluated belong to the new point of these lanes.
  void keep(const Trial& s, M where) noexcept {
    for (std::int64_t p = 0; p < size_; p += W)
      put(where, s.gradient + p, load<V>(trial_gradient_.data() + p));
    put(where, s.loss, load<V>(trial_loss_.data()));
  }

  /// Loss and gradient after the step delta from the point just evaluated, by the model.
  void keep_model(const Trial& s, M where) noexcept {
    V change{};
    for (std::int64_t p = 0; p < size_; p += W) {
      const V slope = fma(leading_, load<V>(sum_.data() + p), load<V>(slope_.data() + p));
      const V twice = load<V>(trial_gradient_.data() + p) - slope;
      change = fma(0.5 * twice, load<V>(delta_.data() + p), change);
      put(where, s.gradient + p, -slope);
    }
    put(where, s.loss, load<V>(trial_loss_.data()) + change);
  }

  /// Newton's remainder after its first step: quadratic in the step if the Hessian is the one at
  /// the predicted point, linear if it is older. It grows at most in proportion to h.
  void remember(int l, double rate, double norm) noexcept {
    rate_[l] = fresh_[l] ? rate / norm : rate;
    rate_step_[l] = h_[l];
    age_[l] = 0;
    stale_[l] = !fresh_[l] && rate > 0.3 ? -1 : 0;
  }
  double expected_rate(int l, double norm) const noexcept {
    if (age_[l] >= kTrust) return 1.0;
    const double longer = std::max(1.0, h_[l] / rate_step_[l]);
    return kMargin * rate_[l] * longer * (fresh_[l] ? norm : 1.0);
  }

  /// Differences at the new point, from those at the old one and d.
  void shift_differences(const Trial& s, M accepted) noexcept {
    M below[kDifferences]{}, at[kDifferences]{}, above[kDifferences]{};
    for (int l = 0; l < W; ++l) {
      if (!accepted[l]) continue;
      for (int j = 0; j <= order_[l]; ++j) below[j][l] = -1;
      at[order_[l] + 1][l] = above[order_[l] + 2][l] = -1;
    }
    for (std::int64_t p = 0; p < size_; p += W) {
      const V d = load<V>(sum_.data() + p);
      V higher{};
      for (int j = kDifferences - 1; j >= 0; --j) {
        const V old = load<V>(difference(j) + p);
        V now = select<V>(below[j], old + higher, old);
        now = select<V>(at[j], d, now);
        if (j > 0) now = select<V>(above[j], d - load<V>(difference(j - 1) + p), now);
        store(difference(j) + p, now);
        higher = now;
      }
      put(accepted, difference(0) + p, load<V>(s.y_new + p));
    }
  }

  /// Root mean square of nabla^j of lane l in units of the tolerance, times the error constant of
  /// the order that has it as its error.
  double error_of(const Trial& s, int j, int l) const noexcept {
    double sum = 0.0;
    for (std::int64_t p = l; p < size_; p += W) {
      const double scale = s.atol[l] + s.rtol * std::max(std::abs(s.y[p]), std::abs(s.y_new[p]));
      const double e = differences_.data()[j * size_ + p] / scale;
      sum += e * e;
    }
    return Ndf::error(j - 1) * std::sqrt(sum * mean_);
  }

  double aim(int l, bool accepted) noexcept {
    if (accepted) equal_[l] = 0;
    return std::exchange(aimed_[l], 0.0);
  }

  static double growth(double error, int order) noexcept {
    return kSafety * std::pow(std::max(error, 1e-15), -1.0 / (order + 1));
  }

  /// After order + 1 equal steps the differences of the neighbouring orders are known: the order
  /// that allows the longest step is taken.
  double after_success(const Trial& s, int l, double error2) noexcept {
    failures_[l] = 0;
    const int k = order_[l];
    if (++equal_[l] <= k || fixed_) return 1.0;
    double best = growth(std::sqrt(error2), k);
    int chosen = k;
    const auto consider = [&](int other, double factor) {
      if (factor > best) {
        best = factor;
        chosen = other;
      }
    };
    if (k > 1) consider(k - 1, growth(error_of(s, k, l), k - 1));
    if (k < Ndf::highest) consider(k + 1, growth(error_of(s, k + 2, l), k + 1));
    order_[l] = chosen;
    equal_[l] = 0;
    return std::min(best, kGrow);
  }

  double after_failure(int l, bool solved, double error2) noexcept {
    ++failures_[l];
    if (failures_[l] > 2 && order_[l] > 1) --order_[l];
    if (!solved) return kUnsolved;
    if (error2 <= 1.0) return 0.5;  // the loss rose
    return std::max(growth(std::sqrt(error2), order_[l]), kShrink);
  }

  static M select_mask(M where, M a, M b) noexcept { return (where & a) | (~where & b); }

  std::int64_t size_;
  double mean_;
  bool keeps_hessian_ = false, fixed_ = false;
  SymmetricSolver<W> solver_;
  AlignedBuffer differences_, predicted_, slope_, sum_, delta_, weight_, trial_gradient_,
      trial_loss_;
  V h_{}, leading_{}, shift_{}, error_constant_{};
  M model_{}, fresh_{}, stale_{}, unfactored_{};
  int order_[W]{}, last_order_[W]{};
  double rate_[W]{}, rate_step_[W]{};
  double beyond_[W]{};        ///< time left to a point known to lie past the target, or 0
  double slope_beyond_[W]{};  ///< logarithm of the gradient there over its aim
  double aimed_[W]{};         ///< step that leads to the aim, or 0
  std::int64_t equal_[W]{}, failures_[W]{}, age_[W]{}, aims_[W]{};
};

}  // namespace flowscape
