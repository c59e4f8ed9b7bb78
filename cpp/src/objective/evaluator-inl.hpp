// Evaluator: blocks of samples, reduction over lanes, closed-form assembly.
// Included once per layout by evaluator_*.cpp.
#pragma once

#include <algorithm>

#include "flowscape/objective/evaluator.hpp"

namespace flowscape {
namespace {

/// Calls body.template operator()<D>() with D the number of features, or 0 beyond the static ones.
template <class Body>
FLOWSCAPE_INLINE void with_features(std::int64_t features, Body&& body) {
  switch (features) {
    case 1: return body.template operator()<1>();
    case 2: return body.template operator()<2>();
    case 3: return body.template operator()<3>();
    case 4: return body.template operator()<4>();
    default: return body.template operator()<0>();
  }
}
static_assert(kStaticFeatures == 4);

}  // namespace

template <class Layout>
Evaluator<Layout>::Evaluator(const ProblemData& problem)
    : problem_(problem), layout_(problem.shape) {
  const Shape& shape = problem.shape;
  const std::int64_t steps = std::min(Layout::block_steps(problem), Layout::steps(problem));
  const std::int64_t grid = shape.width * steps * kLanes;
  const std::int64_t rows = shape.outputs * steps * kLanes;
  storage_.resize((4 + shape.features()) * grid + 2 * rows + steps * kLanes);
  double* next = storage_.data();
  const auto take = [&next](std::int64_t size) {
    double* const here = next;
    next += size;
    return here;
  };
  scratch_ = {take(grid), take(grid), take(grid), take(grid), take(shape.features() * grid),
              take(rows), take(rows), take(steps * kLanes)};
  for (int order = 0; order < 3 && networks > 1; ++order)
    small_[order] = small_kernel(problem, order);
  prepare(1);
  if (problem.kernel == KernelShape::neuron_lanes) wide_.emplace(problem);
  separate_ = problem.activation.separate_terms();
  for (const Term& term : separate_) parts_.emplace_back(std::vector<Term>{term});
  absolute_.resize(separate_.empty() ? 0 : 6 * grid);
}

template <class Layout>
void Evaluator<Layout>::prepare(int order) {
  if (wide_) return wide_->prepare(order);
  // Also for the bounds of noise() and the product of hessian_vector().
  const std::int64_t sums = std::max(layout_.size(order), 3 + parameters());
  if (sums * kLanes > moments_.size()) {
    moments_.resize(sums * kLanes);
    if (networks == 1) reduced_.resize(sums);
  }
  const std::int64_t rows =
      networks * (4 + 3 * parameters() + (order == 2 ? triangle(parameters()) : 0));
  if (rows > rows_.size()) rows_.resize(rows);
  if (order < 2 || !places_.empty()) return;
  places_ = pair_places(problem_.shape);
  if (networks == 1 || small_[2] != nullptr || problem_.row_products.size() == 0) return;
  const std::int64_t D = layout_.features, T = triangle(D);
  factors_.resize((D + T) * problem_.samples * kLanes);
  double* out = factors_.data();
  const auto fill = [&](const AlignedBuffer& rows, std::int64_t columns) {
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t i = 0; i < problem_.samples; ++i, out += kLanes)
        store(out, broadcast<Native>(rows.data()[i * columns + c]));
  };
  fill(problem_.row_features, D);
  fill(problem_.row_products, T);
}

template <class Layout>
PairFactors Evaluator<Layout>::pair_factors(std::int64_t first) const noexcept {
  if (problem_.row_products.size() == 0) return {};
  if constexpr (networks == 1)
    return {problem_.column_features.data() + first * kLanes,
            problem_.column_products.data() + first * kLanes, problem_.padded_samples};
  const std::int64_t row = problem_.samples * kLanes;
  return {factors_.data(), factors_.data() + layout_.features * row, row};
}

template <class Layout>
template <class Body>
void Evaluator<Layout>::for_blocks(Body&& body) noexcept {
  const std::int64_t total = Layout::steps(problem_), block = Layout::block_steps(problem_);
  for (std::int64_t first = 0; first < total; first += block)
    body(first, std::min(block, total - first));
}

template <class Layout>
void Evaluator<Layout>::forward(int order, const double* theta, std::int64_t first,
                                std::int64_t steps) noexcept {
  with_features(problem_.shape.features(), [&]<int D>() {
    affine<Layout, D>(problem_, theta, first, steps, scratch_.z);
  });
  problem_.activation.evaluate(order, scratch_.z, scratch_.h, scratch_.s, scratch_.q,
                               problem_.shape.width * steps * kLanes);
  residuals<Layout>(problem_, theta, first, steps, scratch_);
}

template <class Layout>
void Evaluator<Layout>::reduce(const double* sums, std::int64_t count,
                               double* out) const noexcept {
  if constexpr (networks == 1)
    for (std::int64_t i = 0; i < count; ++i) out[i] = horizontal_sum(load<Native>(sums + i * kLanes));
}

template <class Layout>
void Evaluator<Layout>::evaluate(int order, const double* theta, double* loss, double* gradient,
                                 double* hessian) noexcept {
  if (networks == 1 && wide_)
    return wide_->evaluate(order, theta, loss, gradient, {hessian, true, false}, 1);
  if (small_[order] != nullptr) {
    const std::int64_t samples = problem_.samples;
    with_features(problem_.shape.features(), [&]<int D>() {
      affine<Layout, D>(problem_, theta, 0, samples, scratch_.z);
    });
    problem_.activation.evaluate(order, scratch_.z, scratch_.h, scratch_.s, scratch_.q,
                                 problem_.shape.width * samples * kLanes);
    small_[order](problem_, theta, {scratch_.h, scratch_.s, scratch_.q}, scratch_.residual, loss,
                  gradient, hessian);
  } else {
    const std::int64_t count = layout_.size(order);
    double* const moments = moments_.data();
    std::fill_n(moments, count * kLanes, 0.0);
    for_blocks([&](std::int64_t first, std::int64_t steps) {
      forward(order, theta, first, steps);
      with_features(problem_.shape.features(), [&]<int D>() {
        add_neuron_moments<Layout, D>(problem_, theta, order, first, steps, scratch_, layout_,
                                      moments);
      });
      if (order == 2) {
        weight_rows<Layout>(problem_, first, steps, scratch_);
        const PairFactors factors = pair_factors(first);
        if (factors.features == nullptr)
          feature_rows<Layout>(problem_, first, steps, scratch_);
        add_pair_products(problem_.shape, steps, scratch_, factors,
                          moments + layout_.pairs() * kLanes);
      }
    });
    reduce(moments, count, reduced_.data());
    assemble(order, theta, loss, gradient, hessian);
  }
  if (problem_.l2 != 0.0) add_decay(order, theta, loss, gradient, hessian);
}

template <class Layout>
void Evaluator<Layout>::add_decay(int order, const double* theta, double* loss, double* gradient,
                                  double* hessian) const noexcept {
  const std::int64_t P = parameters();
  const V l2 = broadcast<V>(problem_.l2);
  V norm{};
  for (std::int64_t p = 0; p < P; ++p) {
    const V value = load<V>(theta + p * networks);
    norm = fma(value, value, norm);
    if (order >= 1) {
      double* const slope = gradient + p * networks;
      store(slope, fma(l2, value, load<V>(slope)));
    }
    if (order == 2) {
      double* const diagonal = hessian + packed(p, p) * networks;
      store(diagonal, load<V>(diagonal) + l2);
    }
  }
  store(loss, fma(0.5 * l2, norm, load<V>(loss)));
}

template <class Layout>
void Evaluator<Layout>::evaluate_whole(int order, const double* theta, double* loss,
                                       double* gradient, double* hessian,
                                       bool past_caches, int n_threads) noexcept
  requires(networks == 1)
{
  wide_->evaluate(order, theta, loss, gradient, {hessian, false, past_caches}, n_threads);
}

template <class Layout>
void Evaluator<Layout>::assemble(int order, const double* theta, double* loss, double* gradient,
                                 double* hessian) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features();
  const double* const sums = networks == 1 ? reduced_.data() : moments_.data();
  const auto moment = [sums](std::int64_t i) { return load<V>(sums + i * networks); };
  store(loss, 0.5 * moment(0));
  if (order == 0) return;
  for (std::int64_t k = 0; k < shape.width; ++k) {
    const std::int64_t base = layout_.neuron(k);
    double* const outgoing = gradient + shape.outgoing(k) * networks;
    double* const incoming = gradient + shape.incoming(k) * networks;
    const V a = load<V>(theta + shape.outgoing(k) * networks);
    for (std::int64_t o = 0; o < K; ++o) store(outgoing + o * networks, moment(base + o));
    for (std::int64_t j = 0; j < D; ++j) {
      const V sum = moment(base + layout_.incoming + j);
      store(incoming + j * networks, K == 1 ? a * sum : sum);
    }
  }
  if (shape.output_bias)
    for (std::int64_t o = 0; o < K; ++o)
      store(gradient + (shape.output_biases() + o) * networks, moment(1 + o));
  if (order == 2) assemble_hessian(theta, hessian);
}

template <class Layout>
void Evaluator<Layout>::assemble_hessian(const double* theta, double* hessian) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features();
  const double* const sums = networks == 1 ? reduced_.data() : moments_.data();
  const double* const products = sums + layout_.pairs() * networks;
  const auto moment = [sums](std::int64_t i) { return load<V>(sums + i * networks); };
  const auto parameter = [theta](std::int64_t p) { return load<V>(theta + p * networks); };
  const auto set = [hessian](std::int64_t i, std::int64_t j, V v) {
    store(hessian + packed(i, j) * networks, v);
  };
  const V weight = broadcast<V>(missing_weight(problem_));
  const std::int32_t* place = places_.data();
  for (std::int64_t k = 0; k < shape.width; ++k) {
    const std::int64_t ak = shape.outgoing(k), wk = shape.incoming(k), own = layout_.neuron(k);
    for (std::int64_t l = 0; l <= k; ++l, place += layout_.per_pair) {
      const std::int64_t al = shape.outgoing(l), wl = shape.incoming(l);
      const auto pair = [&](std::int64_t i) {
        return weight * load<V>(products + place[i] * networks);
      };
      V outgoing{};  // a_k . a_l
      for (std::int64_t o = 0; o < K; ++o)
        outgoing = fma(parameter(ak + o), parameter(al + o), outgoing);
      for (std::int64_t o = 0; o < K; ++o)
        for (std::int64_t u = 0; u < (l < k ? K : o + 1); ++u)
          set(ak + o, al + u, o == u ? pair(0) : V{});
      for (std::int64_t j = 0; j < D; ++j) {
        for (std::int64_t o = 0; o < K; ++o) {
          if (l < k) set(ak + o, wl + j, parameter(al + o) * pair(1 + j));
          V cross = parameter(ak + o) * pair(1 + D + j);
          if (l == k)
            cross += K == 1 ? moment(own + layout_.incoming + j)
                            : moment(own + layout_.cross + o * D + j);
          set(wk + j, al + o, cross);
        }
        for (std::int64_t i = 0; i < (l < k ? D : j + 1); ++i) {
          const std::int64_t t = packed(std::max(i, j), std::min(i, j));
          V entry = outgoing * pair(1 + 2 * D + t);
          if (l == k) {
            const V curvature = moment(own + layout_.curvature + t);
            entry += K == 1 ? parameter(ak) * curvature : curvature;
          }
          set(wk + j, wl + i, entry);
        }
      }
    }
  }
  if (shape.output_bias)
    for (std::int64_t o = 0; o < K; ++o) {
      const std::int64_t c = shape.output_biases() + o;
      for (std::int64_t k = 0; k < shape.width; ++k) {
        const std::int64_t bias = layout_.neuron(k) + layout_.bias;
        for (std::int64_t u = 0; u < K; ++u)
          set(c, shape.outgoing(k) + u, u == o ? moment(bias) : V{});
        for (std::int64_t j = 0; j < D; ++j)
          set(c, shape.incoming(k) + j,
              parameter(shape.outgoing(k) + o) * moment(bias + 1 + j));
      }
      for (std::int64_t u = 0; u <= o; ++u)
        set(c, shape.output_biases() + u, u == o ? moment(1 + K) : V{});
    }
}

}  // namespace flowscape
