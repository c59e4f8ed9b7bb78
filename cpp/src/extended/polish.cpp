#include "flowscape/extended/polish.hpp"

#include <algorithm>
#include <cmath>

#include "flowscape/flow/options.hpp"
#include "flowscape/linalg/dense.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape::extended {
namespace {

constexpr double kTinyResidual = 1e-4;  // of the sum of absolute terms: Levenberg-Marquardt
constexpr double kReach = 0.05;         // farthest move, in units of 1 + |theta|
constexpr double kNoise = 1e-16;        // of a double, relative: what the Jacobian is known to
constexpr int kBoundSteps = 3;          // steps tried below the bound, while they still help
constexpr double kWidenCut = 1e3;       // leave out eigenvalues up to this much larger

class Run {
 public:
  Run(Evaluator<SampleLanes>& evaluator, const Targets& targets, const PolishOptions& options)
      : evaluator_(evaluator), options_(options), residual_(evaluator.problem(), targets),
        P_(residual_.parameters()), rows_(residual_.rows()), start_(P_), point_(P_), trial_(P_),
        gradient_(P_), step_(P_) {}

  void follow(const double* theta) {
    for (std::int64_t p = 0; p < P_; ++p) start_[p] = theta[p];
    point_ = start_;
    iterations_ = 0;
    look();
    if (!std::isfinite(loss_.hi) || !std::isfinite(slope_)) {
      status_ = Status::nonfinite;
      return;
    }
    double size = 0.0;
    for (std::int64_t i = 0; i < rows_; ++i)
      size += residual_.weight(i) * residual_.sizes()[i] * residual_.sizes()[i];
    const bool tiny = loss_.hi <= 0.5 * kTinyResidual * kTinyResidual * size;
    if (evaluator_.problem().l2 == 0.0 && tiny)
      reach_zero();
    else
      reach_critical();
    if (slope_ <= std::max(options_.gtol, floor_)) status_ = Status::converged;
  }

  void report(std::int64_t b, const PolishOutput& out) {
    for (std::int64_t p = 0; p < P_; ++p) {
      out.theta[b * P_ + p] = point_[p].hi;
      out.theta_low[b * P_ + p] = point_[p].lo;
    }
    double size = 0.0;
    for (const DoubleDouble& r : residual_.values())
      size = std::isfinite(r.hi) ? std::max(size, std::abs(r.hi)) : NAN;
    out.residual_norm[b] = size;
    out.loss[b] = loss_.hi;
    out.zero_loss[b] = residual_.zero_loss();
    out.gradient_norm[b] = slope_;
    out.floor[b] = floor_;
    out.iterations[b] = iterations_;
    out.status[b] = static_cast<std::int8_t>(status_);
  }

 private:
  /// Everything at point_.
  void look() {
    residual_.evaluate(point_.data(), true);
    loss_ = residual_.loss(point_.data());
    floor_ = residual_.gradient(point_.data(), gradient_.data());
    slope_ = 0.0;
    for (const DoubleDouble& g : gradient_)
      slope_ = std::isfinite(g.hi) ? std::max(slope_, std::abs(g.hi)) : INFINITY;
  }

  /// Sets trial_ = point_ - step_; false if that is point_.
  bool propose() {
    bool moved = false;
    for (std::int64_t p = 0; p < P_; ++p) {
      trial_[p] = point_[p] - step_[p];
      moved |= trial_[p].hi != point_[p].hi || trial_[p].lo != point_[p].lo;
    }
    return moved;
  }

  bool far() const noexcept {
    double moved = 0.0, size = 0.0;
    for (std::int64_t p = 0; p < P_; ++p) {
      const double d = (trial_[p] - start_[p]).hi;
      moved += d * d;
      size += start_[p].hi * start_[p].hi;
    }
    return !(std::sqrt(moved) <= kReach * (1.0 + std::sqrt(size)));
  }

  // At a zero where J is rank deficient Gauss-Newton overshoots; damping of the size of |r|^2 keeps
  // local convergence (Yamashita and Fukushima 2001) and is adapted to what a step achieves.
  void reach_zero() {
    std::vector<double> a(rows_ * P_), b(rows_);
    double factor = 1.0;
    int below = 0;
    for (status_ = Status::step_limit; iterations_ < options_.max_iterations; ++iterations_) {
      if (loss_.hi <= residual_.zero_loss() && (loss_.hi == 0.0 || below++ == kBoundSteps)) break;
      double extent = 0.0;
      for (std::int64_t i = 0; i < rows_; ++i) {
        const double root = std::sqrt(residual_.weight(i));
        b[i] = root * residual_.values()[i].hi;
        for (std::int64_t p = 0; p < P_; ++p) {
          const double value = a[i * P_ + p] = root * residual_.jacobian()[i * P_ + p].hi;
          extent += value * value;
        }
      }
      bool better = false;
      for (; !better && factor <= 1e16; factor *= better ? 1.0 : 10.0) {
        const double damping = std::max(2.0 * factor * loss_.hi, kNoise * kNoise * extent);
        damped_least_squares(rows_, P_, a.data(), b.data(), damping, step_.data());
        if (!propose() || far()) continue;
        residual_.evaluate(trial_.data(), false);
        const DoubleDouble trial_loss = residual_.loss(trial_.data());
        better = trial_loss.hi < (below > 0 ? 0.5 : 1.0) * loss_.hi;
        if (better && trial_loss.hi < 0.5 * loss_.hi) factor = std::max(0.1 * factor, 1e-12);
        if (below > 0) break;
      }
      if (!better) {
        status_ = Status::step_too_small;
        break;
      }
      point_ = trial_;
      look();
    }
    look();
    if (loss_.hi <= residual_.zero_loss()) status_ = Status::converged;
  }

  /// Newton's method with minimum-norm steps over the eigenvalues beyond a cut, which is widened
  /// while a step does not lower the gradient.
  void reach_critical() {
    AlignedBuffer theta(P_), loss(1), gradient(P_), packed(triangle(P_));
    std::vector<double> hessian(P_ * P_), values(P_), vectors(P_ * P_);
    int below = 0;
    for (status_ = Status::step_limit; iterations_ < options_.max_iterations; ++iterations_) {
      const double aim = std::max(options_.gtol, floor_);
      if (slope_ <= aim && (slope_ <= options_.gtol || below++ == kBoundSteps)) break;
      for (std::int64_t p = 0; p < P_; ++p) theta.data()[p] = point_[p].hi;
      evaluator_.evaluate(2, theta.data(), loss.data(), gradient.data(), packed.data());
      const double noise = evaluator_.noise(theta.data()).hessian[0];
      for (std::int64_t i = 0, e = 0; i < P_; ++i)
        for (std::int64_t j = 0; j <= i; ++j, ++e)
          hessian[i * P_ + j] = hessian[j * P_ + i] = packed.data()[e];
      symmetric_eigen(P_, hessian.data(), values.data(), vectors.data());
      const double before = slope_, top = std::max(std::abs(values[0]), std::abs(values[P_ - 1]));
      const Numbers old = point_;
      bool better = false;
      for (double cut = noise; !better && cut < top; cut *= kWidenCut) {
        newton_step(values, vectors, cut);
        if (!propose() || far()) continue;
        point_ = trial_;
        look();
        better = slope_ < (below > 0 ? 0.5 : 1.0) * before;
        if (!better) point_ = old;
        if (below > 0) break;
      }
      if (!better) {
        look();
        status_ = Status::step_too_small;
        break;
      }
    }
  }

  void newton_step(const std::vector<double>& values, const std::vector<double>& vectors,
                   double cut) {
    std::fill(step_.begin(), step_.end(), 0.0);
    for (std::int64_t i = 0; i < P_; ++i) {
      if (!(std::abs(values[i]) > cut)) continue;
      const double* const v = vectors.data() + i * P_;
      double along = 0.0;
      for (std::int64_t p = 0; p < P_; ++p) along += v[p] * gradient_[p].hi;
      for (std::int64_t p = 0; p < P_; ++p) step_[p] += along / values[i] * v[p];
    }
  }

  Evaluator<SampleLanes>& evaluator_;
  const PolishOptions& options_;
  Residual residual_;
  std::int64_t P_, rows_;
  Numbers start_, point_, trial_, gradient_;
  std::vector<double> step_;
  DoubleDouble loss_;
  double slope_ = 0.0, floor_ = 0.0;
  Status status_ = Status::not_run;
  std::int64_t iterations_ = 0;
};

}  // namespace

void polish(const Objective& objective, const Targets& targets, const PolishOptions& options,
            std::int64_t batch, const PolishOutput& output, int n_threads,
            const std::atomic<bool>& stop, std::atomic<std::int64_t>& finished) {
  parallel_items(batch, n_threads, [&] {
    auto lease = objective.lease<SampleLanes>(2);
    auto run = std::make_unique<Run>(*lease, targets, options);
    return [&, lease = std::move(lease), run = std::move(run)](std::int64_t b) {
      if (stop.load(std::memory_order_relaxed)) return;
      run->follow(output.theta + b * objective.parameters());
      run->report(b, output);
      ++finished;
    };
  });
}

}  // namespace flowscape::extended
