// One point on its way to a critical point: proposes trial points, absorbs their derivatives.
#pragma once

#include <cstdint>
#include <vector>

#include "flowscape/polish/polish.hpp"

namespace flowscape {

using Vector = std::vector<double>;

double norm(const Vector& v) noexcept;
double largest(const Vector& v) noexcept;  ///< infinity norm; infinite if an entry is not finite

/// Everything known at one trial point.
struct PointData {
  double loss = 0.0;
  Vector gradient;
  Vector hessian;  ///< [P][P]
  double zero_loss = 0.0, gradient_noise = 0.0, hessian_noise = 0.0;
  bool crossed_kink = false;

  bool finite() const noexcept;
};

/// Newton's method as a state machine, so that many points share one batched evaluation.
class NewtonRun {
 public:
  void begin(const double* theta, std::int64_t parameters);

  const Vector& trial() const noexcept { return trial_; }

  /// Takes the derivatives at trial(); returns true when the run is over.
  bool absorb(const PointData& at_trial, const PolishOptions& options);

  const Vector& point() const noexcept { return point_; }
  const PointData& data() const noexcept { return data_; }
  Status status() const noexcept { return status_; }
  std::int64_t iterations() const noexcept { return iterations_; }

 private:
  double target(const PolishOptions& options) const noexcept;
  bool accept(const PointData& at_trial, const PolishOptions& options);
  bool reject(const PolishOptions& options);
  void newton_step();
  bool propose();

  Vector point_, trial_, step_, values_, vectors_;
  PointData data_;
  double cut_ = 0.0;       ///< eigenvalues within it are left out of the step
  double fraction_ = 1.0;  ///< of the Newton step
  double merit_ = 0.0;     ///< |gradient|_2
  bool started_ = false, crossing_ = false;
  int at_floor_ = 0;
  Status status_ = Status::not_run;
  std::int64_t iterations_ = 0;
};

}  // namespace flowscape
