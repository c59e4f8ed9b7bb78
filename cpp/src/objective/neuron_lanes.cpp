// Wide networks: workspace, blocks of samples, residuals, loss and gradient.
#include "flowscape/objective/neuron_lanes.hpp"

#include <algorithm>

#include "flowscape/objective/components.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

/// Samples of a block.
constexpr std::int64_t kMinBlock = 8, kMaxBlock = 64;

}  // namespace

NeuronKernel::NeuronKernel(const ProblemData& problem)
    : problem_(problem), layout_(problem.shape),
      stride_(panels_of(problem.shape.width) * kPanel),
      block_(std::min(round_up(problem.samples, 8),
                      std::clamp(kGrid / problem.shape.width / 8 * 8, kMinBlock, kMaxBlock))) {
  const Shape& shape = problem.shape;
  const std::int64_t grid = block_ * shape.width + kPanel, D = shape.features();
  columns_.resize(shape.per_neuron() * stride_);
  z_.resize(grid);
  h_.resize(grid);
  s_.resize(grid);
  if (shape.outputs > 1) scaled_.resize(grid);
  partial_.resize(shape.outputs * block_ * kLanes);
  residual_.resize(shape.outputs * block_);
  weighted_.resize(shape.outputs * block_);
  weighted_rows_.resize(shape.outputs * block_);
  coefficients_.resize(block_ * std::max(D, triangle(D)));
  head_.resize((2 + shape.outputs) * kLanes);
  moments_.resize(layout_.per_neuron * stride_);
  if (LightNeurons::serves(problem)) light_.emplace(problem);
}

void NeuronKernel::prepare(int order) {
  if (order < 2 || order_ == 2) return;
  const Shape& shape = problem_.shape;
  const std::int64_t D = shape.features();
  q_.resize(h_.size());
  const std::int64_t samples = std::max(block_, PairSums::block(shape) / block_ * block_);
  pairs_ = PairSums(shape, std::min(samples, round_up(problem_.samples, block_)));
  oriented_.resize((1 + D + triangle(D)) * pairs_.panels() * kPanelTile);
  views_.resize(1 + 2 * D + triangle(D));
  segment_.resize(shape.per_neuron() * kPanel);
  row_.resize(shape.per_neuron() * stride_ + shape.outputs + 2 * kPanel);
  order_ = 2;
}

void NeuronKernel::evaluate(int order, const double* theta, double* loss, double* gradient,
                            HessianRows hessian, int n_threads) noexcept {
  const bool light = light_ && light_->evaluate(order, theta, loss, gradient);
  if (light && order < 2) return;
  split_components(theta, problem_.shape.per_neuron(), problem_.shape.width, stride_,
                   columns_.data());
  head_.fill(0.0);
  bool fresh = true;
  std::int64_t packed_samples = 0;
  for (std::int64_t first = 0; first < problem_.samples; first += block_) {
    const std::int64_t count = std::min(block_, problem_.samples - first);
    forward(order, first, count);
    residuals(theta, first, count);
    if (order >= 1) add_moments(order, first, count);
    if (order < 2) continue;
    pack(first, count, packed_samples);
    packed_samples += count;
    if (packed_samples + block_ > pairs_.capacity() || first + count == problem_.samples) {
      pairs_.add(packed_samples, fresh, n_threads);
      fresh = false;
      packed_samples = 0;
    }
  }
  if (!light) finish(order, theta, loss, gradient);
  if (order == 2) write_hessian(hessian);
}

// r = sum_k a_k h_k + c - y, and W r.
void NeuronKernel::residuals(const double* theta, std::int64_t first,
                             std::int64_t count) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, whole = round_up(count, kLanes);
  const double* const weights = problem_.column_weights.data() + first;
  const auto accumulate = [&](std::int64_t place, Native value) {
    double* const sum = head_.data() + place * kLanes;
    store(sum, load<Native>(sum) + value);
  };
  for (std::int64_t o = 0; o < K; ++o) {
    double* const r = residual_.data() + o * block_;
    const double* const y = problem_.column_targets.data() + o * problem_.padded_samples + first;
    const double c = shape.output_bias ? theta[shape.output_biases() + o] : 0.0;
    for (std::int64_t i = 0; i < count; ++i)
      r[i] = horizontal_sum(load<Native>(partial_.data() + (o * block_ + i) * kLanes)) + (c - y[i]);
    std::fill(r + count, r + whole, 0.0);
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      const Native ri = load<Native>(r + i), wr = load<Native>(weights + i) * ri;
      store(weighted_.data() + o * block_ + i, wr);
      accumulate(0, wr * ri);
      if (shape.output_bias) accumulate(1 + o, wr);
    }
    for (std::int64_t i = 0; i < count; ++i)
      weighted_rows_.data()[i * K + o] = weighted_.data()[o * block_ + i];
  }
  for (std::int64_t i = 0; i < whole && shape.output_bias; i += kLanes)
    accumulate(1 + K, load<Native>(weights + i));
}

void NeuronKernel::finish(int order, const double* theta, double* loss,
                          double* gradient) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features();
  double value = 0.5 * horizontal_sum(load<Native>(head_.data()));
  if (problem_.l2 != 0.0) {
    Native norm{};
    for (std::int64_t n = 0; n < (K + D) * stride_; n += kLanes) {
      const Native t = load<Native>(columns_.data() + n);
      norm = fma(t, t, norm);
    }
    double sum = horizontal_sum(norm);
    for (std::int64_t p = shape.output_biases(); p < shape.parameters(); ++p)
      sum += theta[p] * theta[p];
    value += 0.5 * problem_.l2 * sum;
  }
  *loss = value;
  if (order == 0) return;
  const Native l2 = broadcast<Native>(problem_.l2);
  const bool decays = problem_.l2 != 0.0;
  join_components(
      [&](std::int64_t c, std::int64_t k) {  // rows of moments: outgoing, then incoming
        const Native sum = load<Native>(moment(c) + k);
        const Native slope = K == 1 && c > 0 ? sum * load<Native>(weight(0) + k) : sum;
        return decays ? fma(l2, load<Native>(weight(c) + k), slope) : slope;
      },
      K + D, shape.width, gradient);
  for (std::int64_t o = 0; o < K && shape.output_bias; ++o) {
    const std::int64_t p = shape.output_biases() + o;
    gradient[p] = horizontal_sum(load<Native>(head_.data() + (1 + o) * kLanes));
    if (problem_.l2 != 0.0) gradient[p] += problem_.l2 * theta[p];
  }
}

}  // namespace flowscape
