// Loss, gradient, Hessian of one wide network: lane = neuron.
//
// Samples pass in blocks whose h, s, q stay in the first-level cache, arrays [sample][neuron]
// without padding between rows, so that the activation wastes no lanes. Sums over samples are
// columns over neurons; sums over pairs of neurons are the tiles of gram.hpp. No sum crosses
// lanes but the output of the network.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "flowscape/objective/gram.hpp"
#include "flowscape/objective/light_neurons.hpp"
#include "flowscape/objective/moments.hpp"
#include "flowscape/objective/problem_data.hpp"
#include "flowscape/objective/row_stream.hpp"
#include "flowscape/simd/aligned.hpp"

namespace flowscape {

/// Where a Hessian goes: all of it, or the lower triangle packed by rows.
struct HessianRows {
  double* data;
  bool packed_triangle;
  bool past_caches;  ///< more than will be read again soon
};

class NeuronKernel {
 public:
  /// Keeps a reference to `problem`.
  explicit NeuronKernel(const ProblemData& problem);

  /// Allocates what derivatives up to `order` need.
  void prepare(int order);

  /// As Evaluator::evaluate, theta [P]; needs prepare(order). Threads share the products of pairs.
  void evaluate(int order, const double* theta, double* loss, double* gradient,
                HessianRows hessian, int n_threads) noexcept;

 private:
  void forward(int order, std::int64_t first, std::int64_t count) noexcept;
  void residuals(const double* theta, std::int64_t first, std::int64_t count) noexcept;
  void add_moments(int order, std::int64_t first, std::int64_t count) noexcept;
  /// out[r][neuron] = (if fresh) or += sum_i coefficients[i][r] rows_i[neuron] for r < size.
  void add_columns(const double* rows, std::int64_t count, const double* coefficients,
                   std::int64_t size, bool fresh, double* out) noexcept;
  /// Tables x_ij [sample][D] and x_ij x_il [sample][tri(D)], times scale_i unless null.
  void first_coefficients(std::int64_t first, std::int64_t count, const double* scale) noexcept;
  void second_coefficients(std::int64_t first, std::int64_t count, const double* scale) noexcept;
  /// rows_i sum_o a_o W r_io into `scaled_`.
  void scale_back(const double* rows, std::int64_t count) noexcept;
  /// Into the panels, from their sample `place` on.
  void pack(std::int64_t first, std::int64_t count, std::int64_t place) noexcept;
  void finish(int order, const double* theta, double* loss, double* gradient) noexcept;
  void write_hessian(HessianRows hessian) noexcept;
  void orient(std::int64_t k, std::int64_t last) noexcept;
  /// A row of neuron i of panel k: fill(l, tile, put) gives the components of the neurons from l
  /// on, by put(component, vector), from the pair sums tile(n).
  template <int K, int D, class Fill>
  void compose_row(std::int64_t k, std::int64_t i, std::int64_t last, double* row,
                   Fill&& fill) noexcept;
  /// Row of output o or component j of neuron i of panel k, columns of panels up to `last`; K and
  /// D are the outputs and features, 0 for "any".
  template <int K, int D>
  void outgoing_row(std::int64_t k, std::int64_t i, std::int64_t o, std::int64_t last,
                    double* row) noexcept;
  template <int K, int D>
  void incoming_row(std::int64_t k, std::int64_t i, std::int64_t j, std::int64_t last,
                    double* row) noexcept;
  template <int K, int D>
  void write_panel(std::int64_t k, bool packed_triangle, RowStream& out) noexcept;
  void add_own(std::int64_t k, std::int64_t component, double* row) const noexcept;
  double bias_entry(std::int64_t o, std::int64_t k, std::int64_t component) const noexcept;
  void write_output_biases(bool packed_triangle, RowStream& out) noexcept;

  /// Neurons times samples passed at a time: z, h, s, q of them stay in the first-level cache.
  static constexpr std::int64_t kGrid = 1024;

  /// Calls body(first neuron, neurons, first entry) for the chunks of a block of `count` samples.
  template <class Body>
  void for_chunks(std::int64_t count, Body&& body) const noexcept {
    const std::int64_t m = problem_.shape.width;
    const std::int64_t chunk = std::max<std::int64_t>(kPanel, kGrid / count / kPanel * kPanel);
    for (std::int64_t k = 0; k < m; k += chunk) body(k, std::min(chunk, m - k), k * count);
  }

  const double* weight(std::int64_t k) const noexcept { return columns_.data() + k * stride_; }
  double* moment(std::int64_t i) noexcept { return moments_.data() + i * stride_; }
  const double* moment(std::int64_t i) const noexcept { return moments_.data() + i * stride_; }

  const ProblemData& problem_;
  MomentLayout layout_;
  int order_ = 0;          ///< prepared for
  std::int64_t stride_;    ///< width rounded up to whole panels
  std::int64_t block_;     ///< samples of a block
  AlignedBuffer columns_;  ///< [component][neuron]: a, w
  AlignedBuffer z_, h_, s_, q_, scaled_;
  AlignedBuffer partial_;  ///< [output][sample] of vectors, sum_k a_k h_k before the last sum
  AlignedBuffer residual_, weighted_;  ///< [output][sample]
  AlignedBuffer weighted_rows_;        ///< [sample][output]
  AlignedBuffer coefficients_;
  AlignedBuffer head_;     ///< vector of partial sums of W r^2 | per output sum W r | sum W
  AlignedBuffer moments_;  ///< rows of moments.hpp, one column per neuron
  AlignedBuffer oriented_;  ///< [product][panel] tiles that had to be turned
  /// hh | hs [D] | sh [D] | ss [tri(D)] seen from a row panel k: tiles of l < k, tiles of l >= k.
  std::vector<std::array<const double*, 2>> views_;
  AlignedBuffer segment_;   ///< a panel's piece of a row, by component
  AlignedBuffer row_;       ///< of a RowStream
  PairSums pairs_;
  std::optional<LightNeurons> light_;  ///< loss and gradient of a light activation
};

}  // namespace flowscape
