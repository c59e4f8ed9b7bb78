#include "flowscape/polish/newton_run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flowscape/linalg/dense.hpp"

namespace flowscape {
namespace {

constexpr double kShortest = 1.0 / 64;  // smallest fraction of a step tried
constexpr double kWidenCut = 1e3;       // then leave out eigenvalues up to this much larger
constexpr double kLongest = 0.5;        // longest step, in units of 1 + |theta|
constexpr int kFloorSteps = 3;          // steps tried below the round-off floor

}  // namespace

double norm(const Vector& v) noexcept {
  double sum = 0.0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

double largest(const Vector& v) noexcept {
  double size = 0.0;
  for (const double x : v) {
    if (!std::isfinite(x)) return std::numeric_limits<double>::infinity();
    size = std::max(size, std::abs(x));
  }
  return size;
}

bool PointData::finite() const noexcept {
  return std::isfinite(loss) && std::isfinite(largest(gradient)) &&
         std::isfinite(largest(hessian));
}

void NewtonRun::begin(const double* theta, std::int64_t parameters) {
  point_.assign(theta, theta + parameters);
  trial_ = point_;
  step_.assign(point_.size(), 0.0);
  values_.resize(point_.size());
  vectors_.resize(point_.size() * point_.size());
  started_ = crossing_ = false;
  at_floor_ = 0;
  iterations_ = 0;
  status_ = Status::not_run;
}

double NewtonRun::target(const PolishOptions& options) const noexcept {
  return std::max(options.gtol, data_.gradient_noise);
}

bool NewtonRun::absorb(const PointData& at_trial, const PolishOptions& options) {
  const bool finite = at_trial.finite();
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
  if (finite && !crossing_ && norm(at_trial.gradient) < (1.0 - 1e-4 * fraction_) * merit_)
    return accept(at_trial, options);
  return reject(options);
}

bool NewtonRun::accept(const PointData& at_trial, const PolishOptions& options) {
  const double before = merit_;
  point_ = trial_;
  data_ = at_trial;
  merit_ = norm(data_.gradient);
  const double size = largest(data_.gradient);
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
  symmetric_eigen(static_cast<std::int64_t>(point_.size()), data_.hessian.data(), values_.data(),
                  vectors_.data());
  cut_ = data_.hessian_noise;
  fraction_ = 1.0;
  newton_step();
  return propose() ? false : reject(options);
}

bool NewtonRun::reject(const PolishOptions& options) {
  const double size = largest(data_.gradient);
  const bool done = size <= target(options);
  while (!done && iterations_ < options.max_iterations) {
    fraction_ *= 0.5;
    if (fraction_ < kShortest) {
      // Small eigenvalues made the step useless: leave them out.
      cut_ = std::max(cut_, data_.hessian_noise) * kWidenCut;
      fraction_ = 1.0;
      if (!(cut_ < largest(values_))) break;
      newton_step();
    }
    if (propose()) return false;
  }
  status_ = done                                     ? Status::converged
            : crossing_                              ? Status::kink
            : iterations_ >= options.max_iterations  ? Status::step_limit
                                                     : Status::step_too_small;
  return true;
}

/// The minimum-norm Newton step over the eigenvalues beyond the cut, not longer than kLongest.
void NewtonRun::newton_step() {
  const std::size_t size = point_.size();
  std::fill(step_.begin(), step_.end(), 0.0);
  for (std::size_t i = 0; i < size; ++i) {
    if (!(std::abs(values_[i]) > cut_)) continue;
    const double* const v = vectors_.data() + i * size;
    double along = 0.0;
    for (std::size_t p = 0; p < size; ++p) along += v[p] * data_.gradient[p];
    for (std::size_t p = 0; p < size; ++p) step_[p] -= along / values_[i] * v[p];
  }
  const double length = norm(step_), longest = kLongest * (1.0 + norm(point_));
  if (length > longest)
    for (double& x : step_) x *= longest / length;
}

/// Sets trial_; false when it is the present point or not finite.
bool NewtonRun::propose() {
  for (std::size_t p = 0; p < point_.size(); ++p) trial_[p] = point_[p] + fraction_ * step_[p];
  return trial_ != point_ && std::isfinite(largest(trial_));
}

}  // namespace flowscape
