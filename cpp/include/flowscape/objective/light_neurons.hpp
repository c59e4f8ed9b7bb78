// Loss and gradient of a wide network with a light activation on a handful of samples.
//
// An activation is light if it takes only a few operations (activation/light.hpp). Then writing h
// and s for the backward pass and reading them again costs more than they do: with a thousand
// neurons and six samples they leave the first-level cache. Here forward and backward pass are one
// loop over neurons each, lane = neuron, all samples in registers; what the backward pass needs is
// computed again from the argument and at most one kept number.
#pragma once

#include <cstdint>

#include "flowscape/objective/problem_data.hpp"
#include "flowscape/simd/aligned.hpp"

namespace flowscape {

/// Borders, from bench/bench_dispatch.py (docs/decisions/0011): up to this many samples it takes 0.5
/// to 0.9 of the time of the general kernel; with more it would have to pass the neurons twice and
/// gains nothing. The bound on inputs is one on compile time.
inline constexpr std::int64_t kMaxLightSamples = 8;
inline constexpr std::int64_t kMaxLightInputs = 2;

class LightNeurons {
 public:
  /// Whether a problem, one for lane = neuron, is within the borders: one output, a light activation.
  static bool serves(const ProblemData& problem) noexcept;

  /// Keeps a reference to `problem`.
  explicit LightNeurons(const ProblemData& problem);

  /// Loss and, for order 1, gradient [P] of theta [P]; false, with nothing of use written, if an
  /// argument is so large that the activation needs its slow branch.
  bool evaluate(int order, const double* theta, double* loss, double* gradient) noexcept;

  /// What a pass over the neurons reads and writes.
  struct Pass {
    const double* theta;
    std::int64_t width;
    const double* inputs;    ///< [R][d]
    double* kept;            ///< [vector of neurons][R]
    const double* weighted;  ///< [R], W r
    const double* scaled;    ///< [R][d], W r x
    double l2;
    double* gradient;
  };

  /// outputs[i] = sum_k a_k h_ik; whether an argument is too large.
  using Forward = bool (*)(const Pass& pass, double* outputs) noexcept;
  using Backward = void (*)(const Pass& pass) noexcept;
  struct Passes {
    int padded;  ///< R: the samples, the last one repeated up to 4, 6 or 8
    Forward forward;
    Backward backward;
  };

 private:
  const ProblemData& problem_;
  Passes passes_;
  AlignedBuffer inputs_, kept_, weighted_, scaled_;  ///< of a Pass
};

}  // namespace flowscape
