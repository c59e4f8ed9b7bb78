#include "flowscape/polish/newton_run.hpp"

#include <algorithm>
#include <cmath>

namespace flowscape {
namespace {

constexpr double kShortest = 1.0 / 64;  // smallest fraction of a step tried
constexpr double kWidenCut = 1e3;       // then leave out eigenvalues up to this much larger
constexpr double kLongest = 0.5;        // longest step, in units of 1 + |theta|
constexpr int kFloorSteps = 3;          // steps tried below the round-off floor

}  // namespace

void NewtonRun::begin(const double* theta, std::int64_t parameters) {
  point_ = Eigen::Map<const Eigen::VectorXd>(theta, parameters);
  trial_ = point_;
  step_ = Eigen::VectorXd::Zero(parameters);
  started_ = crossing_ = false;
  at_floor_ = 0;
  iterations_ = 0;
  status_ = Status::not_run;
}

double NewtonRun::target(const PolishOptions& options) const noexcept {
  return std::max(options.gtol, data_.gradient_noise);
}

bool NewtonRun::absorb(const PointData& at_trial, const PolishOptions& options) {
  const bool finite = std::isfinite(at_trial.loss) && at_trial.gradient.allFinite() &&
                      at_trial.hessian.allFinite();
  if (!started_) {
    started_ = true;
    if (!finite) {
      data_ = at_trial;
      status_ = Status::nonfinite;
      return true;
    }
    return accept(at_trial, options);
  }
  ++iterations_;
  crossing_ = at_trial.crossed_kink;
  if (finite && !crossing_ && at_trial.gradient.norm() < (1.0 - 1e-4 * fraction_) * merit_)
    return accept(at_trial, options);
  return reject(options);
}

bool NewtonRun::accept(const PointData& at_trial, const PolishOptions& options) {
  const double before = merit_;
  point_ = trial_;
  data_ = at_trial;
  merit_ = data_.gradient.norm();
  const double size = data_.gradient.lpNorm<Eigen::Infinity>();
  if (size <= target(options)) {
    // A few more steps while they still help: the floor is a bound, not an estimate.
    const bool helps = at_floor_ == 0 || merit_ < 0.5 * before;
    if (size == 0.0 || size <= options.gtol || !helps || ++at_floor_ > kFloorSteps) {
      status_ = Status::converged;
      return true;
    }
  }
  if (iterations_ >= options.max_iterations) {
    status_ = size <= target(options) ? Status::converged : Status::step_limit;
    return true;
  }
  spectrum_.compute(data_.hessian);
  cut_ = data_.hessian_noise;
  fraction_ = 1.0;
  return propose() ? false : reject(options);
}

bool NewtonRun::reject(const PolishOptions& options) {
  const double size = data_.gradient.lpNorm<Eigen::Infinity>();
  const bool done = size <= target(options);
  while (!done && iterations_ < options.max_iterations) {
    fraction_ *= 0.5;
    if (fraction_ < kShortest) {
      // Small eigenvalues made the step useless: leave them out.
      cut_ = std::max(cut_, data_.hessian_noise) * kWidenCut;
      fraction_ = 1.0;
      if (!(cut_ < spectrum_.eigenvalues().cwiseAbs().maxCoeff())) break;
    }
    if (propose()) return false;
  }
  status_ = done                                     ? Status::converged
            : crossing_                              ? Status::kink
            : iterations_ >= options.max_iterations  ? Status::step_limit
                                                     : Status::step_too_small;
  return true;
}

/// Sets trial_; false when no step is left at this cut.
bool NewtonRun::propose() {
  if (fraction_ == 1.0) {
    const auto& values = spectrum_.eigenvalues();
    const auto& vectors = spectrum_.eigenvectors();
    step_.setZero();
    for (Eigen::Index i = 0; i < values.size(); ++i)
      if (std::abs(values[i]) > cut_)
        step_ -= (vectors.col(i).dot(data_.gradient) / values[i]) * vectors.col(i);
    const double length = step_.norm(), longest = kLongest * (1.0 + point_.norm());
    if (length > longest) step_ *= longest / length;
  }
  trial_ = point_ + fraction_ * step_;
  return trial_ != point_ && trial_.allFinite();
}

}  // namespace flowscape
