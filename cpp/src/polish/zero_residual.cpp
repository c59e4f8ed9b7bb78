#include "flowscape/polish/zero_residual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/QR>

namespace flowscape {
namespace {

constexpr double kTinyResidual = 1e-4;  // of the sum of absolute terms behind it
constexpr double kReach = 0.05;         // farthest move, in units of 1 + |theta|
constexpr int kSteps = 200;
constexpr std::int64_t kLargestJacobian = 20'000'000;

/// |r|^2 / 2, r and J at a point, both multiplied by sqrt(W).
class WeightedResidual {
 public:
  explicit WeightedResidual(Evaluator<SampleLanes>& evaluator)
      : evaluator_(evaluator),
        rows_(evaluator.problem().samples * evaluator.problem().shape.outputs),
        columns_(evaluator.parameters()), weight_(rows_), aligned_(columns_),
        jacobian_(rows_, columns_), r(rows_), stacked(rows_ + columns_, columns_) {
    const std::int64_t K = evaluator.problem().shape.outputs;
    for (std::int64_t i = 0; i < rows_; ++i)
      weight_[i] = std::sqrt(evaluator.problem().column_weights.data()[i / K]);
  }

  double loss_at(const Eigen::VectorXd& theta) {
    evaluator_.residual(theta.data(), r.data(), jacobian_.data());
    r.array() *= weight_.array();
    return 0.5 * r.squaredNorm();
  }

  /// Loss that rounding of a zero residual may leave.
  double zero_loss_at(const Eigen::VectorXd& theta) {
    std::copy_n(theta.data(), columns_, aligned_.data());
    return evaluator_.noise(aligned_.data()).zero_loss[0];
  }

  /// The step -argmin |J d - r|^2 + damping |d|^2 of the last point evaluated.
  Eigen::VectorXd step(double damping) {
    stacked.topRows(rows_) = jacobian_.array().colwise() * weight_.array();
    stacked.bottomRows(columns_).setZero();
    stacked.bottomRows(columns_).diagonal().setConstant(std::sqrt(damping));
    Eigen::VectorXd right = Eigen::VectorXd::Zero(rows_ + columns_);
    right.head(rows_) = r;
    return -stacked.householderQr().solve(right);
  }

 private:
  Evaluator<SampleLanes>& evaluator_;
  std::int64_t rows_, columns_;
  Eigen::VectorXd weight_;
  AlignedBuffer aligned_;
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> jacobian_;

 public:
  Eigen::VectorXd r;
  Eigen::MatrixXd stacked;
};

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
bool reach_zero(Evaluator<SampleLanes>& evaluator, Eigen::VectorXd& theta) {
  WeightedResidual residual(evaluator);
  Eigen::VectorXd point = theta;
  const double reach = kReach * (1.0 + theta.norm());
  double loss = residual.loss_at(point), factor = 1.0;
  for (int step = 0; step < kSteps && std::isfinite(loss); ++step) {
    if (loss <= residual.zero_loss_at(point)) {
      theta = point;
      return true;
    }
    const Eigen::VectorXd trial = point + residual.step(factor * 2.0 * loss);
    const double trial_loss = residual.loss_at(trial);
    if (trial_loss < loss) {
      factor = std::max(factor * (trial_loss < 0.5 * loss ? 0.1 : 1.0), 1e-12);
      point = trial;
      loss = trial_loss;
      if ((point - theta).norm() > reach) return false;
    } else {
      factor *= 10.0;
      if (factor * 2.0 * loss > 1e6) return false;
      loss = residual.loss_at(point);
    }
  }
  return false;
}

}  // namespace flowscape
