// Where a step takes its gradient from: all samples, or a batch of its own for every lane.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "flowscape/descent/sample_stream.hpp"
#include "flowscape/objective/evaluator.hpp"
#include "flowscape/objective/objective.hpp"

namespace flowscape {

/// Of the loss itself.
template <class Layout>
class FullGradient {
 public:
  static constexpr int W = Layout::networks;
  static constexpr bool batches = false;

  FullGradient(const Objective& objective, const DescentOptions&)
      : lease_(objective.lease<Layout>(1)) {}
  void begin(int, std::uint64_t) noexcept {}
  void evaluate(std::int64_t, const double* theta, double* loss, double* gradient) noexcept {
    lease_->evaluate(1, theta, loss, gradient, nullptr);
  }

 private:
  typename EvaluatorPool<Layout>::Lease lease_;
};

/// An unbiased estimate from `batch_size` samples: N over their number times their part of the
/// loss, and the whole weight decay.
template <class Layout>
class BatchGradient {
 public:
  static constexpr int W = Layout::networks;
  static constexpr bool batches = true;

  BatchGradient(const Objective& objective, const DescentOptions& options)
      : all_(objective.problem()), options_(options), problem_(room(all_, options.batch_size)),
        evaluator_(problem_) {
    for (int l = 0; l < W; ++l)
      streams_.emplace_back(options.sampling, all_.samples, options.batch_size);
  }
  BatchGradient(const BatchGradient&) = delete;

  void begin(int l, std::uint64_t run) noexcept {
    streams_[l].begin(options_.key0, options_.key1, run);
  }

  /// Takes the next batch of the lanes in `live`, bit by bit, and evaluates all.
  void evaluate(std::int64_t live, const double* theta, double* loss, double* gradient) noexcept {
    for (int l = 0; l < W; ++l)
      if (live >> l & 1) {
        const auto [indices, count] = streams_[l].next();
        fill(l, indices, count);
      }
    evaluator_.evaluate(1, theta, loss, gradient, nullptr);
  }

 private:
  /// A problem of `batch_size` samples that `fill` sets. Products and square roots of weights,
  /// which only Hessians read, stay zero.
  static ProblemData room(const ProblemData& all, std::int64_t batch_size) {
    const std::vector<double> zeros(batch_size * std::max(all.shape.inputs, all.shape.outputs), 0.0);
    ProblemData problem(all.shape, all.activation, batch_size, zeros.data(), zeros.data(),
                        zeros.data(), all.scale, all.l2);
    problem.equal_weights = false;
    if (W > 1)
      for (AlignedBuffer* rows : {&problem.row_features, &problem.row_targets, &problem.row_weights})
        rows->resize(rows->size() * W);
    return problem;
  }

  /// Places of value `column` of sample `slot`: by sample, and by column where lane = sample.
  void put(AlignedBuffer& rows, AlignedBuffer& columns, std::int64_t stride, std::int64_t slot,
           std::int64_t column, int l, double value) noexcept {
    rows.data()[(slot * stride + column) * W + l] = value;
    if (W == 1) columns.data()[column * problem_.padded_samples + slot] = value;
  }

  void fill(int l, const std::int64_t* indices, std::int64_t count) noexcept {
    const std::int64_t D = all_.shape.features(), K = all_.shape.outputs;
    const double factor = static_cast<double>(all_.samples) / static_cast<double>(count);
    ProblemData& p = problem_;
    for (std::int64_t slot = 0; slot < p.samples; ++slot) {
      // A short batch is filled up with its last sample, without weight.
      const std::int64_t i = indices[std::min(slot, count - 1)];
      for (std::int64_t j = 0; j < D; ++j)
        put(p.row_features, p.column_features, D, slot, j, l, all_.row_features.data()[i * D + j]);
      for (std::int64_t o = 0; o < K; ++o)
        put(p.row_targets, p.column_targets, K, slot, o, l, all_.row_targets.data()[i * K + o]);
      const double weight = slot < count ? factor * all_.row_weights.data()[i] : 0.0;
      put(p.row_weights, p.column_weights, 1, slot, 0, l, weight);
    }
  }

  const ProblemData& all_;
  const DescentOptions& options_;
  ProblemData problem_;
  Evaluator<Layout> evaluator_;
  std::vector<SampleStream> streams_;
};

}  // namespace flowscape
