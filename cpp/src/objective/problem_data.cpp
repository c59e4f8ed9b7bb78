#include "flowscape/objective/problem_data.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

// Borders of the dispatcher, from bench/bench_dispatch.py (docs/decisions/0005): with few samples
// lane = network wins by up to 4, from about 128 samples lane = sample wins; the border on P keeps
// the working set of a block of networks within the second-level cache. From 16 neurons on lane =
// neuron beats lane = sample, and from 96 parameters on lane = network (docs/decisions/0011).
constexpr std::int64_t kMaxSamples = 128;        // N, lane = network
constexpr std::int64_t kMaxParameters = 128;     // P, lane = network
constexpr std::int64_t kWide = 16;               // m, lane = neuron rather than lane = sample
constexpr std::int64_t kMaxWideParameters = 95;  // P, lane = network from kWide neurons on

// Lane = sample: what is written of a block stays near this many doubles, within these bounds. Many
// samples pay for loading and storing the accumulators of a tile: 128 instead of some 80 for five
// neurons, of 32 for fifteen. Two hundred are slower again.
constexpr std::int64_t kBlockDoubles = 128 * 60;
constexpr std::int64_t kMinBlock = 32;
constexpr std::int64_t kMaxBlock = 128;

}  // namespace

KernelShape choose_kernel(const Shape& shape, std::int64_t samples) noexcept {
  const bool wide = shape.width >= kWide;
  const bool small = samples <= kMaxSamples &&
                     shape.parameters() <= (wide ? kMaxWideParameters : kMaxParameters);
  if (small) return KernelShape::network_lanes;
  return wide ? KernelShape::neuron_lanes : KernelShape::sample_lanes;
}

std::int64_t sample_block(const Shape& shape) noexcept {
  // A multiple of 8 on every level, so that the block does not depend on the lane count.
  const std::int64_t D = shape.features();
  const std::int64_t arrays = shape.width * (4 + (D > kStaticFeatures ? D : 0));  // BlockScratch
  const std::int64_t wanted = kBlockDoubles / arrays / 8 * 8;
  return std::clamp(wanted, kMinBlock, kMaxBlock);
}

ProblemData::ProblemData(Shape shape_, Activation activation_, std::int64_t samples_,
                         const double* x, const double* y, const double* weights, double scale_,
                         double l2_, std::optional<KernelShape> forced)
    : shape(shape_),
      activation(std::move(activation_)),
      samples(samples_),
      padded_samples(round_up(samples_, kSampleMultiple)),
      scale(scale_),
      l2(l2_),
      kernel(forced.value_or(choose_kernel(shape_, samples_))),
      equal_weights(std::all_of(weights, weights + samples_,
                                [weights](double w) { return w == weights[0]; })) {
  const std::int64_t d = shape.inputs, D = shape.features(), K = shape.outputs;
  const std::int64_t T = D <= kStaticFeatures ? triangle(D) : 0;
  row_features.resize(samples * D);
  row_products.resize(samples * T);
  row_targets.resize(samples * K);
  row_weights.resize(samples);
  row_roots.resize(samples);
  column_features.resize(padded_samples * D);
  column_products.resize(padded_samples * T);
  column_targets.resize(padded_samples * K);
  column_weights.resize(padded_samples);
  column_roots.resize(padded_samples);
  for (std::int64_t i = 0; i < padded_samples; ++i) {
    const std::int64_t source = std::min(i, samples - 1);
    const bool real = i < samples;
    const auto put = [&](AlignedBuffer& rows, AlignedBuffer& columns, std::int64_t stride,
                         std::int64_t column, double value, double padding) {
      columns.data()[column * padded_samples + i] = real ? value : padding;
      if (real) rows.data()[i * stride + column] = value;
    };
    const auto feature = [&](std::int64_t j) { return j < d ? x[source * d + j] : 1.0; };
    for (std::int64_t j = 0; j < D; ++j)
      put(row_features, column_features, D, j, feature(j), feature(j));
    for (std::int64_t j = 0; j < D && T > 0; ++j)
      for (std::int64_t l = 0; l <= j; ++l) {
        const double product = feature(j) * feature(l);
        put(row_products, column_products, T, packed(j, l), product, product);
      }
    for (std::int64_t o = 0; o < K; ++o) {
      const double target = y[source * K + o];
      put(row_targets, column_targets, K, o, target, target);
    }
    const double weight = 2.0 * scale * weights[source];
    put(row_weights, column_weights, 1, 0, weight, 0.0);
    put(row_roots, column_roots, 1, 0, std::sqrt(weight), 0.0);
  }
}

}  // namespace flowscape
