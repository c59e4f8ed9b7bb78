// What a batch of descents is asked for, and what it reports.
#pragma once

#include <cstdint>

#include "flowscape/flow/options.hpp"

namespace flowscape {

/// Equal to flowscape.descent.ALGORITHMS in Python, in this order.
enum class DescentRule : int { gradient_descent = 0, momentum = 1, nesterov = 2, adam = 3 };

/// How the samples of a step are chosen; `all` is the gradient of the loss itself.
enum class Sampling : int { all = 0, shuffled = 1, iid = 2 };

struct DescentOptions {
  DescentRule rule;
  const double* learning_rate;  ///< [B]
  double momentum, beta1, beta2, epsilon;
  std::int64_t steps;
  double stop_loss;  ///< stop at loss <= it; negative: never
  double gtol;       ///< stop at |gradient|_inf <= it; negative: never
  double escape;     ///< stop at |theta|_inf >= it while it grows, looked at every kLookEvery steps
  std::int64_t times;
  const std::int64_t* save_at;  ///< [T], ascending step numbers in [0, steps]
  Sampling sampling;
  std::int64_t batch_size;
  std::uint64_t key0, key1;      ///< of the streams of sample indices
  const std::uint64_t* streams;  ///< [B], counter block of each run
};

inline constexpr std::int64_t kLookEvery = 64;

/// Arrays over runs, allocated by the caller.
struct DescentOutput {
  double* theta;          ///< [B][P]
  double* loss;           ///< [B], of all samples, at theta
  double* gradient_norm;  ///< [B], infinity norm, of all samples
  double* lambda_max;     ///< [B], largest eigenvalue of the Hessian at theta
  std::int64_t* steps;    ///< [B], taken
  std::int8_t* status;    ///< [B], Status::not_run before
  double* saved;          ///< [B][T][P] or null
};

}  // namespace flowscape
