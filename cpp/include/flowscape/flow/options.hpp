// What a batch of flows is asked for, and what it reports.
#pragma once

#include <cstdint>

namespace flowscape {

/// How a run ended; equal to flowscape.Status in Python (tests/unit/test_status.py).
enum class Status : std::int8_t {
  converged = 0,
  tail_extrapolated = 1,
  escaped = 2,
  time_limit = 3,
  step_limit = 4,
  step_too_small = 5,
  nonfinite = 6,
  interrupted = 7,
  not_run = 8,
  kink = 9,
};

enum class FlowMethod : int { rosenbrock = 0, rk45 = 1, bdf = 2 };

struct FlowOptions {
  double rtol;
  const double* atol;  ///< [B], one per run
  double gtol;         ///< stop at |gradient|_inf <= gtol; at the round-off floor in any case
  double t_max;
  double escape;       ///< stop at |theta|_inf >= escape
  std::int64_t max_steps;
  std::int64_t times;  ///< T
  const double* save_at;  ///< [T], ascending, >= 0
};

/// Arrays over runs, allocated by the caller.
struct FlowOutput {
  double* theta;          ///< [B][P], the end of the flow
  double* t;              ///< [B]
  double* loss;           ///< [B]
  double* gradient_norm;  ///< [B], infinity norm
  double* floor;          ///< [B], bound on the rounding error of the gradient at theta
  std::int64_t* steps;    ///< [B], accepted
  std::int64_t* rejected;
  std::int64_t* gradients;  ///< evaluations of loss and gradient alone
  std::int64_t* hessians;   ///< evaluations of loss, gradient and Hessian together
  std::int8_t* status;
  double* saved;  ///< [B][T][P] or null
  /// One item: lane slots advanced and lane slots holding a run; their ratio is the lane use.
  std::int64_t* slots;
  std::int64_t* busy;
};

}  // namespace flowscape
