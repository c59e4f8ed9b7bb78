#include "flowscape/objective/light_neurons.hpp"

#include <algorithm>

#include "flowscape/activation/light.hpp"
#include "flowscape/objective/components.hpp"

namespace flowscape {
namespace {

/// d inputs of a neuron, then its bias if it has one.
template <int d, bool bias>
struct Neuron {
  static constexpr int C = 1 + d + bias;

  Native component[C];

  /// Neurons from `k` on; those past the width are zero.
  FLOWSCAPE_INLINE Neuron(const LightNeurons::Pass& pass, std::int64_t k) {
    if (k + kLanes <= pass.width) {
      split_vectors(pass.theta + k * C, component);
    } else {
      double rows[C * kLanes] = {};
      std::copy_n(pass.theta + k * C, (pass.width - k) * C, rows);
      split_vectors(rows, component);
    }
  }
  FLOWSCAPE_INLINE Native argument(const double* x) const {
    Native z;
    if constexpr (bias)
      z = fma(broadcast<Native>(x[d - 1]), component[d], component[1 + d]);
    else
      z = broadcast<Native>(x[d - 1]) * component[d];
#pragma GCC unroll 4
    for (int j = d - 2; j >= 0; --j) z = fma(broadcast<Native>(x[j]), component[1 + j], z);
    return z;
  }
};

template <template <class> class Function, int d, bool bias, int R>
bool forward(const LightNeurons::Pass& of, double* outputs) noexcept {
  const LightNeurons::Pass pass = of;  // its pointers stay in registers
  using Sigma = Light<Function, Native>;
  Native sum[R] = {}, far{};
  double* kept = pass.kept;
  for (std::int64_t k = 0; k < pass.width; k += kLanes, kept += R * kLanes) {
    const Neuron<d, bias> neuron(pass, k);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      Native keep;
      const Native h = Sigma::value(neuron.argument(pass.inputs + i * d), keep, far);
      if constexpr (Sigma::kKeeps) store(kept + i * kLanes, keep);
      sum[i] = fma(neuron.component[0], h, sum[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) outputs[i] = horizontal_sum(sum[i]);
  return any(far > broadcast<Native>(Sigma::kFar));
}

// Neurons in descending order: the last ones of the forward pass are still in the cache.
template <template <class> class Function, int d, bool bias, int R>
void backward(const LightNeurons::Pass& of) noexcept {
  const LightNeurons::Pass pass = of;
  using Sigma = Light<Function, Native>;
  constexpr int C = Neuron<d, bias>::C;
  const Native l2 = broadcast<Native>(pass.l2);
  const bool decays = pass.l2 != 0.0;
  for (std::int64_t k = (pass.width - 1) / kLanes * kLanes; k >= 0; k -= kLanes) {
    const Neuron<d, bias> neuron(pass, k);
    const double* const kept = pass.kept + k * R;
    Native sum[C] = {};
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      Native keep{}, h, s;
      if constexpr (Sigma::kKeeps) keep = load<Native>(kept + i * kLanes);
      Sigma::slope(neuron.argument(pass.inputs + i * d), keep, h, s);
      const Native wr = broadcast<Native>(pass.weighted[i]);
      sum[0] = fma(wr, h, sum[0]);
#pragma GCC unroll 4
      for (int j = 0; j < d; ++j)
        sum[1 + j] = fma(broadcast<Native>(pass.scaled[i * d + j]), s, sum[1 + j]);
      if constexpr (bias) sum[C - 1] = fma(wr, s, sum[C - 1]);
    }
#pragma GCC unroll 8
    for (int c = 1; c < C; ++c) sum[c] = neuron.component[0] * sum[c];
    if (decays)
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[c] = fma(l2, neuron.component[c], sum[c]);
    if (k + kLanes <= pass.width) {
      join_vectors(sum, pass.gradient + k * C);
    } else {
      double rows[C * kLanes];
      join_vectors(sum, rows);
      std::copy_n(rows, (pass.width - k) * C, pass.gradient + k * C);
    }
  }
}

template <template <class> class Function, int R>
LightNeurons::Passes of_shape(const Shape& shape) noexcept {
  const auto passes = [&]<int d>() -> LightNeurons::Passes {
    if (shape.bias) return {R, forward<Function, d, true, R>, backward<Function, d, true, R>};
    return {R, forward<Function, d, false, R>, backward<Function, d, false, R>};
  };
  return shape.inputs == 1 ? passes.template operator()<1>() : passes.template operator()<2>();
}
static_assert(kMaxLightInputs == 2);

template <template <class> class Function>
LightNeurons::Passes of_problem(const ProblemData& problem) noexcept {
  if (problem.samples <= 4) return of_shape<Function, 4>(problem.shape);
  if (problem.samples <= 6) return of_shape<Function, 6>(problem.shape);
  return of_shape<Function, 8>(problem.shape);
}
static_assert(kMaxLightSamples == 8);

LightNeurons::Passes passes_of(const ProblemData& problem) noexcept {
  switch (problem.activation.terms().front().sigma) {
    case Sigma::relu: return of_problem<Relu>(problem);
    case Sigma::leaky_relu: return of_problem<LeakyRelu>(problem);
    default: return of_problem<Rational>(problem);
  }
}

}  // namespace

bool LightNeurons::serves(const ProblemData& problem) noexcept {
  const Sigma sigma = problem.activation.terms().front().sigma;
  return problem.samples <= kMaxLightSamples && problem.shape.inputs <= kMaxLightInputs &&
         problem.shape.outputs == 1 && problem.activation.is_plain() &&
         (sigma == Sigma::rational || sigma == Sigma::relu || sigma == Sigma::leaky_relu);
}

LightNeurons::LightNeurons(const ProblemData& problem)
    : problem_(problem), passes_(passes_of(problem)) {
  const std::int64_t d = problem.shape.inputs, D = problem.shape.features();
  inputs_.resize(passes_.padded * d);
  for (std::int64_t i = 0; i < passes_.padded; ++i)
    std::copy_n(problem.row_features.data() + std::min(i, problem.samples - 1) * D, d,
                inputs_.data() + i * d);
  kept_.resize((problem.shape.width + kLanes) * passes_.padded);
  weighted_.resize(passes_.padded);
  scaled_.resize(passes_.padded * d);
}

bool LightNeurons::evaluate(int order, const double* theta, double* loss,
                            double* gradient) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t d = shape.inputs, P = shape.parameters(), bias = shape.output_biases();
  const double *const x = inputs_.data();
  double *const weighted = weighted_.data(), *const scaled = scaled_.data();
  const Pass pass{theta,    shape.width, x,           kept_.data(),
                  weighted, scaled,      problem_.l2, gradient};
  double outputs[kMaxLightSamples];
  if (passes_.forward(pass, outputs)) return false;
  const double c = shape.output_bias ? theta[bias] : 0.0;
  double squares = 0.0, residuals = 0.0;
  for (std::int64_t i = 0; i < problem_.samples; ++i) {  // W r of the padding is zero for good
    const double r = outputs[i] + (c - problem_.row_targets.data()[i]);
    weighted[i] = problem_.row_weights.data()[i] * r;
    squares += weighted[i] * r;
    residuals += weighted[i];
    for (std::int64_t j = 0; j < d; ++j) scaled[i * d + j] = weighted[i] * x[i * d + j];
  }
  *loss = 0.5 * squares;
  if (problem_.l2 != 0.0) {
    Native norm{};
    const std::int64_t whole = P / kLanes * kLanes;
    for (std::int64_t p = 0; p < whole; p += kLanes) {
      const Native t = load_unaligned<Native>(theta + p);
      norm = fma(t, t, norm);
    }
    double sum = horizontal_sum(norm);
    for (std::int64_t p = whole; p < P; ++p) sum += theta[p] * theta[p];
    *loss += 0.5 * problem_.l2 * sum;
  }
  if (order == 0) return true;
  passes_.backward(pass);
  if (shape.output_bias) gradient[bias] = residuals + problem_.l2 * c;
  return true;
}

}  // namespace flowscape
