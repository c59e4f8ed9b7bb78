// From near a critical point to it, to the round-off floor; then its spectrum.
#pragma once

#include <atomic>
#include <cstdint>

#include "flowscape/flow/options.hpp"
#include "flowscape/objective/objective.hpp"

namespace flowscape {

struct PolishOptions {
  double gtol;  ///< stop at |gradient|_inf <= gtol; at the round-off floor in any case
  std::int64_t max_iterations;
};

/// Arrays over points, allocated by the caller.
struct PolishOutput {
  double* theta;          ///< [B][P]
  double* loss;           ///< [B]
  double* zero_loss;      ///< [B], the loss that rounding of a zero residual alone may leave
  double* gradient_norm;  ///< [B], infinity norm
  double* floor;          ///< [B], bound on its rounding error
  double* eigenvalues;    ///< [B][P], ascending
  double* zero_bound;     ///< [B], eigenvalues within it count as zero
  std::int64_t* inertia;  ///< [B][3]: positive, negative, zero
  std::int64_t* iterations;
  std::int8_t* status;
};

/// Damped Newton on grad L = 0, towards critical points of any index: minimum-norm steps, with
/// eigenvalues of the Hessian within its rounding error left out. A point whose residual is
/// already tiny is finished by Levenberg-Marquardt on the residual, which reaches zeros that are
/// degenerate for L (there the gradient vanishes to third order and is noise long before r is).
void polish(const Objective& objective, const PolishOptions& options, std::int64_t batch,
            const double* theta, const PolishOutput& output, int n_threads,
            const std::atomic<bool>& stop, std::atomic<std::int64_t>& finished);

}  // namespace flowscape
