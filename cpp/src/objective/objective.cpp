#include "flowscape/objective/objective.hpp"

#include "flowscape/objective/lane_rows.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape {
namespace {

/// Runs body(evaluator, first row) for every block of networks, in any order, on several threads;
/// blocks not yet begun are left out once `stop`, if given, is true.
template <class Layout, class MakeBody>
void for_network_blocks(const Objective& objective, int order, std::int64_t batch,
                        double nanoseconds, int n_threads, const std::atomic<bool>* stop,
                        MakeBody&& make_body) {
  constexpr std::int64_t W = Layout::networks;
  // Hand out at least 20 microseconds at a time.
  const std::int64_t group = std::max<std::int64_t>(1, static_cast<std::int64_t>(2e4 / (nanoseconds * W)));
  const std::int64_t blocks = (batch + W - 1) / W, groups = (blocks + group - 1) / group;
  const int threads = worthwhile_threads(nanoseconds * static_cast<double>(batch), n_threads);
  parallel_items(groups, threads, [&] {
    return [&, lease = objective.lease<Layout>(order), body = make_body()](std::int64_t g) mutable {
      for (std::int64_t block = g * group; block < std::min(blocks, (g + 1) * group); ++block)
        if (stop == nullptr || !stop->load(std::memory_order_relaxed)) body(*lease, block * W);
    };
  });
}

}  // namespace

Objective::Objective(ProblemData problem) : problem_(std::move(problem)) {
  if (problem_.kernel == KernelShape::network_lanes) square_places_ = square_places(parameters());
}

double Objective::nanoseconds(int order) const noexcept {
  const Shape& s = problem_.shape;
  const double features = static_cast<double>(s.features());
  const double grid = static_cast<double>(s.width * problem_.samples);
  const double terms = static_cast<double>(problem_.activation.terms().size());
  double cost = grid * (2.0 * terms + 0.2 * features * order);
  if (s.outputs > 1) cost += 0.3 * grid * static_cast<double>(s.outputs) * (1.0 + order);
  if (order == 2)
    cost += 0.02 * grid * static_cast<double>(s.width) * (features + 1) * (features + 1);
  return cost;
}

void Objective::evaluate(int order, std::int64_t batch, const double* theta, double* loss,
                         double* gradient, double* hessian, int n_threads,
                               const std::atomic<bool>* stop) const {
  const std::int64_t P = parameters();
  // Hessians that fill the second-level cache would only push out the work set.
  const bool past_caches = batch * P * P > (1 << 17);
  if (problem_.kernel == KernelShape::neuron_lanes)
    return for_network_blocks<SampleLanes>(*this, order, batch, nanoseconds(order), n_threads, stop, [&] {
      return [&](Evaluator<SampleLanes>& evaluator, std::int64_t b) {
        evaluator.evaluate_whole(order, theta + b * P, loss + b, gradient + b * P,
                                 hessian + b * P * P, past_caches, batch == 1 ? n_threads : 1);
      };
    });
  with_layout([&]<class Layout>() {
    constexpr int W = Layout::networks;
    for_network_blocks<Layout>(*this, order, batch, nanoseconds(order), n_threads, stop, [&] {
      return [&](Evaluator<Layout>& evaluator, std::int64_t first) {
        double *const in = evaluator.rows(), *const l = in + P * W, *const g = l + W;
        double* const h = g + P * W;
        gather_rows<W>(theta, batch, P, first, in);
        evaluator.evaluate(order, in, l, g, h);
        scatter_rows<W>(l, batch, 1, first, loss);
        if (order >= 1) scatter_rows<W>(g, batch, P, first, gradient);
        if (order == 2) scatter_symmetric<W>(h, batch, P, square_places_.data(), first, hessian);
      };
    });
  });
}

void Objective::hessian_vector(std::int64_t batch, const double* theta, const double* direction,
                               double* product, int n_threads,
                               const std::atomic<bool>* stop) const {
  const std::int64_t P = parameters();
  with_layout([&]<class Layout>() {
    constexpr int W = Layout::networks;
    for_network_blocks<Layout>(*this, 1, batch, nanoseconds(1), n_threads, stop, [&] {
      return [&](Evaluator<Layout>& evaluator, std::int64_t first) {
        double *const in = evaluator.rows(), *const v = in + P * W, *const out = v + P * W;
        gather_rows<W>(theta, batch, P, first, in);
        gather_rows<W>(direction, batch, P, first, v);
        evaluator.hessian_vector(in, v, out);
        scatter_rows<W>(out, batch, P, first, product);
      };
    });
  });
}

void Objective::noise(std::int64_t batch, const double* theta, double* zero_loss, double* loss,
                      double* gradient, double* hessian, int n_threads,
                               const std::atomic<bool>* stop) const {
  const std::int64_t P = parameters();
  with_layout([&]<class Layout>() {
    constexpr int W = Layout::networks;
    for_network_blocks<Layout>(*this, 1, batch, 2 * nanoseconds(1), n_threads, stop, [&] {
      return [&](Evaluator<Layout>& evaluator, std::int64_t first) {
        double *const in = evaluator.rows(), *const out = in + P * W;
        gather_rows<W>(theta, batch, P, first, in);
        const Noise<W> noise = evaluator.noise(in);
        double* const rows[] = {zero_loss, loss, gradient, hessian};
        const Vec<W> values[] = {noise.zero_loss, noise.loss, noise.gradient, noise.hessian};
        for (int i = 0; i < 4; ++i) {
          store(out + i * W, values[i]);
          scatter_rows<W>(out + i * W, batch, 1, first, rows[i]);
        }
      };
    });
  });
}

void Objective::residual(std::int64_t batch, const double* theta, double* residual,
                         double* jacobian, int n_threads,
                               const std::atomic<bool>* stop) const {
  const std::int64_t P = parameters(), rows = problem_.samples * problem_.shape.outputs;
  for_network_blocks<SampleLanes>(
      *this, 1, batch, nanoseconds(0) + (jacobian ? 0.5 * static_cast<double>(rows * P) : 0.0),
      n_threads, stop, [&] {
        return [&](Evaluator<SampleLanes>& evaluator, std::int64_t b) {
          evaluator.residual(theta + b * P, residual + b * rows,
                             jacobian ? jacobian + b * rows * P : nullptr);
        };
      });
}

}  // namespace flowscape
