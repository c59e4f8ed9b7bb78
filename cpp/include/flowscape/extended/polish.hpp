// From the end of the polish in doubles to 31 digits.
#pragma once

#include <atomic>
#include <cstdint>

#include "flowscape/extended/residual.hpp"
#include "flowscape/objective/objective.hpp"

namespace flowscape::extended {

struct PolishOptions {
  double gtol;  ///< stop at |gradient|_inf <= gtol; at the bound on its rounding in any case
  std::int64_t max_iterations;
};

/// Arrays over points, allocated by the caller.
struct PolishOutput {
  double *theta, *theta_low;  ///< [B][P]; theta holds the start on entry
  double* loss;               ///< [B]
  double* zero_loss;          ///< [B], loss that rounding of a zero residual alone may leave
  double* gradient_norm;      ///< [B], infinity norm
  double* floor;              ///< [B], bound on its rounding error
  double* residual_norm;      ///< [B], infinity norm
  std::int64_t* iterations;   ///< [B]
  std::int8_t* status;        ///< [B], Status::not_run before
};

/// Values to 31 digits, steps from linear algebra in doubles: a step need not be exact, what it
/// leads to is. Where the residual is tiny, Levenberg-Marquardt on it; else Newton's method.
void polish(const Objective& objective, const Targets& targets, const PolishOptions& options,
            std::int64_t batch, const PolishOutput& output, int n_threads,
            const std::atomic<bool>& stop, std::atomic<std::int64_t>& finished);

}  // namespace flowscape::extended
