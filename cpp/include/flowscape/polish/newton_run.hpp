// One point on its way to a critical point: proposes trial points, absorbs their derivatives.
#pragma once

#include <cstdint>

#include <Eigen/Eigenvalues>

#include "flowscape/polish/polish.hpp"

namespace flowscape {

/// Everything known at one trial point.
struct PointData {
  double loss = 0.0;
  Eigen::VectorXd gradient;
  Eigen::MatrixXd hessian;  ///< lower triangle
  double zero_loss = 0.0, gradient_noise = 0.0, hessian_noise = 0.0;
  bool crossed_kink = false;
};

/// Newton's method as a state machine, so that many points share one batched evaluation.
class NewtonRun {
 public:
  void begin(const double* theta, std::int64_t parameters);

  const Eigen::VectorXd& trial() const noexcept { return trial_; }

  /// Takes the derivatives at trial(); returns true when the run is over.
  bool absorb(const PointData& at_trial, const PolishOptions& options);

  const Eigen::VectorXd& point() const noexcept { return point_; }
  const PointData& data() const noexcept { return data_; }
  Status status() const noexcept { return status_; }
  std::int64_t iterations() const noexcept { return iterations_; }
  double target(const PolishOptions& options) const noexcept;

 private:
  bool accept(const PointData& at_trial, const PolishOptions& options);
  bool reject(const PolishOptions& options);
  bool propose();

  Eigen::VectorXd point_, trial_, step_;
  PointData data_;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> spectrum_;
  double cut_ = 0.0;      ///< eigenvalues within it are left out of the step
  double fraction_ = 1.0; ///< of the Newton step
  double merit_ = 0.0;    ///< |gradient|_2
  bool started_ = false, crossing_ = false;
  int at_floor_ = 0;
  Status status_ = Status::not_run;
  std::int64_t iterations_ = 0;
};

}  // namespace flowscape
