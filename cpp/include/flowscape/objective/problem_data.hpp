// A problem compiled once: sizes, activation, samples in both memory layouts, loss weights.
#pragma once

#include <cstdint>
#include <optional>

#include "flowscape/activation/activation.hpp"
#include "flowscape/objective/shape.hpp"
#include "flowscape/simd/aligned.hpp"

namespace flowscape {

/// Which index runs along the lanes of a vector.
enum class KernelShape : int { network_lanes = 0, sample_lanes = 1, neuron_lanes = 2 };

inline constexpr KernelShape kKernelShapes[] = {
    KernelShape::network_lanes, KernelShape::sample_lanes, KernelShape::neuron_lanes};

/// The kernel for a problem: a pure function of its shape, never of batch, threads or a clock.
KernelShape choose_kernel(const Shape& shape, std::int64_t samples) noexcept;

/// Columns over samples are padded to a multiple of this on every level: up to four vectors of it.
inline constexpr std::int64_t kSampleMultiple = 8;

/// Samples handled at a time when lane = sample: a multiple of kLanes, from the shape alone.
std::int64_t sample_block(const Shape& shape) noexcept;

/// Loss L = 1/2 sum_i W_i |f(x_i) - y_i|^2 + l2/2 |theta|^2 with W_i = 2 scale w_i.
///
/// Every loss of docs/conventions.md is this one with its `scale`.
class ProblemData {
 public:
  /// x [N][d], y [N][K], weights [N]; all finite, row-major; copied. `forced` overrides the
  /// dispatcher, for the benchmark that sets its borders and the test that compares the kernels.
  ProblemData(Shape shape, Activation activation, std::int64_t samples, const double* x,
              const double* y, const double* weights, double scale, double l2,
              std::optional<KernelShape> forced = std::nullopt);

  Shape shape;
  Activation activation;
  std::int64_t samples;         ///< N
  std::int64_t padded_samples;  ///< N rounded up to a multiple of kSampleMultiple
  double scale;
  double l2;
  KernelShape kernel;
  bool equal_weights;  ///< all W_i are the same

  /// Rows by sample: features [N][D], targets [N][K], weights W [N] and their square roots.
  AlignedBuffer row_features, row_targets, row_weights, row_roots;
  /// Columns over samples, each of length padded_samples: the same. Padding repeats the last
  /// sample with weight 0, so it adds nothing and overflows only where that sample does.
  AlignedBuffer column_features, column_targets, column_weights, column_roots;
  /// Products x_j x_l of features, [N][D(D+1)/2] and by column; empty for D > kStaticFeatures.
  AlignedBuffer row_products, column_products;
};

/// Feature counts with a kernel of their own; more features use loops over features.
inline constexpr std::int64_t kStaticFeatures = 4;

}  // namespace flowscape
