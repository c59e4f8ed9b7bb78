#include "flowscape/polish/zero_residual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flowscape/linalg/dense.hpp"

namespace flowscape {
namespace {

constexpr double kTinyResidual = 1e-4;  // of the sum of absolute terms behind it
constexpr double kReach = 0.05;         // farthest move, in units of 1 + |theta|
constexpr int kSteps = 200;
constexpr std::int64_t kLargestJacobian = 20'000'000;

/// r and J at the last point evaluated, both multiplied by sqrt(W).
class WeightedResidual {
 public:
  explicit WeightedResidual(Evaluator<SampleLanes>& evaluator)
      : evaluator_(evaluator),
        rows_(evaluator.problem().samples * evaluator.problem().shape.outputs),
        columns_(evaluator.parameters()), aligned_(columns_), weight_(rows_), r_(rows_),
        jacobian_(rows_ * columns_), step_(columns_) {
    const std::int64_t K = evaluator.problem().shape.outputs;
    for (std::int64_t i = 0; i < rows_; ++i)
      weight_[i] = std::sqrt(evaluator.problem().column_weights.data()[i / K]);
  }

  /// |r|^2 / 2 at theta.
  double loss_at(const Vector& theta) {
    evaluator_.residual(theta.data(), r_.data(), jacobian_.data());
    double sum = 0.0;
    for (std::int64_t i = 0; i < rows_; ++i) {
      r_[i] *= weight_[i];
      sum += r_[i] * r_[i];
      for (std::int64_t p = 0; p < columns_; ++p) jacobian_[i * columns_ + p] *= weight_[i];
    }
    return 0.5 * sum;
  }

  /// Loss that rounding of a zero residual may leave.
  double zero_loss_at(const Vector& theta) {
    std::copy_n(theta.data(), columns_, aligned_.data());
    return evaluator_.noise(aligned_.data()).zero_loss[0];
  }

  /// theta minus the damped least-squares step.
  Vector trial(const Vector& theta, double damping) {
    damped_least_squares(rows_, columns_, jacobian_.data(), r_.data(), damping, step_.data());
    Vector moved = theta;
    for (std::int64_t p = 0; p < columns_; ++p) moved[p] -= step_[p];
    return moved;
  }

 private:
  Evaluator<SampleLanes>& evaluator_;
  std::int64_t rows_, columns_;
  AlignedBuffer aligned_;
  Vector weight_, r_, jacobian_, step_;
};

double distance(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t p = 0; p < a.size(); ++p) sum += (a[p] - b[p]) * (a[p] - b[p]);
  return std::sqrt(sum);
}

}  // namespace

bool zero_is_near(const ProblemData& problem, const PointData& at_point) noexcept {
  // zero_loss is (units of round-off)^2 times the squared sum of absolute terms.
  constexpr double units = 4 * std::numeric_limits<double>::epsilon();
  constexpr double ratio = (kTinyResidual / units) * (kTinyResidual / units);
  return problem.l2 == 0.0 && std::isfinite(at_point.loss) &&
         at_point.loss > at_point.zero_loss && at_point.loss <= at_point.zero_loss * ratio &&
         problem.samples * problem.shape.outputs * problem.shape.parameters() <= kLargestJacobian;
}

// At a zero where J is rank deficient Gauss-Newton overshoots along the small singular vectors.
// Damping of the size of |r|^2 keeps the local convergence (Yamashita and Fukushima 2001) and is
// adapted to what a step achieves.
bool reach_zero(Evaluator<SampleLanes>& evaluator, Vector& theta) {
  WeightedResidual residual(evaluator);
  Vector point = theta;
  const double reach = kReach * (1.0 + norm(theta));
  double loss = residual.loss_at(point), factor = 1.0;
  for (int step = 0; step < kSteps && std::isfinite(loss); ++step) {
    if (loss <= residual.zero_loss_at(point)) {
      theta = point;
      return true;
    }
    const Vector trial = residual.trial(point, factor * 2.0 * loss);
    const double trial_loss = residual.loss_at(trial);
    if (trial_loss < loss) {
      factor = std::max(factor * (trial_loss < 0.5 * loss ? 0.1 : 1.0), 1e-12);
      point = trial;
      loss = trial_loss;
      if (distance(point, theta) > reach) return false;
    } else {
      factor *= 10.0;
      if (factor * 2.0 * loss > 1e6) return false;
      loss = residual.loss_at(point);
    }
  }
  return false;
}

}  // namespace flowscape
