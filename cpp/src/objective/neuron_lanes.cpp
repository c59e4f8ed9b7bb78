// Wide networks: forward pass, sums over samples, loss and gradient.
#include "flowscape/objective/neuron_lanes.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "flowscape/objective/components.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

/// Neurons times samples passed at a time: z, h, s, q of them stay in the first-level cache.
constexpr std::int64_t kGrid = 1024;
constexpr std::int64_t kMinBlock = 8, kMaxBlock = 64;

/// Sums held in registers at once by add_rows.
constexpr int kMaxSums = kLanes == 8 ? 10 : 5;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

/// Lanes below `count`.
MaskOf<Native> lanes_below(std::int64_t count) noexcept {
  MaskOf<Native> mask{};
  for (int l = 0; l < kLanes; ++l) mask[l] = l < count ? -1 : 0;
  return mask;
}

/// Samples whose features stay in registers while affine_rows passes over the neurons.
template <int D>
inline constexpr int kSamplesAtOnce = kLanes < 8 ? 1 : D <= 4 ? 4 : 2;

/// rows[i][k] = sum_j w_j[k] x_ij of R samples; the columns w_j are `stride` apart.
template <int D, int R>
FLOWSCAPE_INLINE void affine_rows(const double* w, std::int64_t stride, const double* x,
                                  std::int64_t width, double* rows) noexcept {
  Native factor[R][D];
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < D; ++j) factor[r][j] = broadcast<Native>(x[r * D + j]);
  for (std::int64_t k = 0; k < width; k += kLanes) {
    const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, width - k));
    Native column[D];
    for (int j = 0; j < D; ++j) column[j] = load<Native>(w + j * stride + k);
    for (int r = 0; r < R; ++r) {
      Native sum = factor[r][D - 1] * column[D - 1];
      for (int j = D - 2; j >= 0; --j) sum = fma(factor[r][j], column[j], sum);
      if (lanes == kLanes)
        store_unaligned(rows + r * width + k, sum);
      else
        store_first(rows + r * width + k, sum, lanes);  // the next row is there already
    }
  }
}

/// The same of `count` samples.
template <int D>
void affine(const double* w, std::int64_t stride, std::int64_t features, const double* x,
            std::int64_t count, std::int64_t width, double* rows) noexcept {
  if constexpr (D > 0) {
    constexpr int R = kSamplesAtOnce<D>;
    std::int64_t i = 0;
    for (; i + R <= count; i += R)
      affine_rows<D, R>(w, stride, x + i * D, width, rows + i * width);
    for (; i < count; ++i) affine_rows<D, 1>(w, stride, x + i * D, width, rows + i * width);
  } else {
    for (std::int64_t i = 0; i < count; ++i, x += features, rows += width)
      for (std::int64_t k = 0; k < width; k += kLanes) {  // the next row is written afterwards
        Native sum = x[features - 1] * load<Native>(w + (features - 1) * stride + k);
        for (std::int64_t j = features - 2; j >= 0; --j)
          sum = fma(broadcast<Native>(x[j]), load<Native>(w + j * stride + k), sum);
        store_unaligned(rows + k, sum);
      }
  }
}

/// Samples that are projected at once: sums in flight against the latency of the multiply-add.
constexpr std::int64_t kProjected = 6;

/// partial[i] = or += sum_k a[k] rows[i][k], vectors still to be summed over their lanes.
template <int R>
FLOWSCAPE_INLINE void project(const double* a, const double* rows, std::int64_t width,
                              MaskOf<Native> tail, bool first, double* partial) noexcept {
  Native sum[R] = {};
  const std::int64_t last = (width - 1) / kLanes * kLanes;
  for (std::int64_t k = 0; k < last; k += kLanes) {
    const Native ak = load<Native>(a + k);
    for (int r = 0; r < R; ++r) sum[r] = fma(ak, load_unaligned<Native>(rows + r * width + k), sum[r]);
  }
  const Native ak = load<Native>(a + last);
  for (int r = 0; r < R; ++r) {
    const Native h = load_unaligned<Native>(rows + r * width + last);
    sum[r] = fma(ak, select<Native>(tail, h, Native{}), sum[r]);
    double* const place = partial + r * kLanes;
    store(place, first ? sum[r] : load<Native>(place) + sum[r]);
  }
}

/// out[r] = or += sum_i c[i][r] rows[i] for C vectors of neurons; c rows of `pitch`.
template <int R, int C>
FLOWSCAPE_INLINE void add_vectors(std::int64_t count, const double* c, std::int64_t pitch,
                                  const double* rows, std::int64_t width, bool first, double* out,
                                  std::int64_t stride) noexcept {
  Native sum[R][C] = {};
  for (std::int64_t i = 0; i < count; ++i, c += pitch, rows += width) {
    Native row[C];
    for (int v = 0; v < C; ++v) row[v] = load_unaligned<Native>(rows + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Native factor = broadcast<Native>(c[r]);
      for (int v = 0; v < C; ++v) sum[r][v] = fma(factor, row[v], sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < C; ++v) {
      double* const place = out + r * stride + v * kLanes;
      store(place, first ? sum[r][v] : load<Native>(place) + sum[r][v]);
    }
}

/// The same for all neurons of a row.
template <int R>
void add_rows(std::int64_t count, const double* c, std::int64_t pitch, const double* rows,
              std::int64_t width, bool first, double* out, std::int64_t stride) noexcept {
  constexpr int C = R < 3 && kLanes == 8 ? 4 : 2;
  std::int64_t k = 0;
  for (; k + (C - 1) * kLanes < width; k += C * kLanes)
    add_vectors<R, C>(count, c, pitch, rows + k, width, first, out + k, stride);
  for (; k < width; k += kLanes)
    add_vectors<R, 1>(count, c, pitch, rows + k, width, first, out + k, stride);
}

/// sqrt(W) h and sqrt(W) s x_j of a vector of neurons into panels `stride` apart, 0 outside `real`.
template <int D>
FLOWSCAPE_INLINE void pack_columns(std::int64_t features, std::int64_t count, const double* roots,
                                   const double* x, const double* h, const double* s,
                                   std::int64_t width, MaskOf<Native> real, double* out,
                                   std::int64_t stride) noexcept {
  const std::int64_t size = D > 0 ? D : features;
  for (std::int64_t i = 0; i < count; ++i, x += size, h += width, s += width, out += kPanel) {
    const Native root = select<Native>(real, broadcast<Native>(roots[i]), Native{});
    store(out, root * load_unaligned<Native>(h));
    const Native slope = root * load_unaligned<Native>(s);
    for (std::int64_t j = 0; j < size; ++j) store(out + (1 + j) * stride, slope * x[j]);
  }
}

using AddRows = void (*)(std::int64_t, const double*, std::int64_t, const double*, std::int64_t,
                         bool, double*, std::int64_t) noexcept;

template <int... R>
constexpr std::array<AddRows, kMaxSums> all_sums(std::integer_sequence<int, R...>) {
  return {add_rows<R + 1>...};
}
constexpr auto kAddRows = all_sums(std::make_integer_sequence<int, kMaxSums>{});

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

template <class Body>
void NeuronKernel::for_chunks(std::int64_t count, Body&& body) const noexcept {
  const std::int64_t m = problem_.shape.width;
  const std::int64_t chunk = std::max<std::int64_t>(kPanel, kGrid / count / kPanel * kPanel);
  for (std::int64_t k = 0; k < m; k += chunk) body(k, std::min(chunk, m - k), k * count);
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

void NeuronKernel::forward(int order, std::int64_t first, std::int64_t count) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t D = shape.features();
  const double* const x = problem_.row_features.data() + first * D;
  for_chunks(count, [&](std::int64_t k, std::int64_t width, std::int64_t at) {
    with_count(D, [&]<int C>() {
      affine<C>(weight(shape.outputs) + k, stride_, D, x, count, width, z_.data());
    });
    problem_.activation.evaluate(order, z_.data(), h_.data() + at, s_.data() + at,
                                 q_.data() + at, round_up(count * width, kLanes));
    const MaskOf<Native> tail = lanes_below(width - (width - 1) / kLanes * kLanes);
    for (std::int64_t o = 0; o < shape.outputs; ++o) {
      const double *const a = weight(o) + k, *rows = h_.data() + at;
      double* const partial = partial_.data() + o * block_ * kLanes;
      for (std::int64_t i = 0; i < count; i += kProjected)
        with_count(std::min(kProjected, count - i), [&]<int R>() {
          project<R>(a, rows + i * width, width, tail, k == 0, partial + i * kLanes);
        });
    }
  });
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

void NeuronKernel::add_moments(int order, std::int64_t first, std::int64_t count) noexcept {
  const std::int64_t K = problem_.shape.outputs, D = layout_.features, T = triangle(D);
  const double* const table = coefficients_.data();
  const bool fresh = first == 0;
  const double* const weights = problem_.row_weights.data() + first;
  add_columns(h_.data(), count, weighted_rows_.data(), K, fresh, moment(0));
  const bool single = K == 1;  // a_k is applied at the end
  if (!single) scale_back(s_.data(), count);
  first_coefficients(first, count, single ? weighted_.data() : nullptr);
  add_columns(single ? s_.data() : scaled_.data(), count, table, D, fresh, moment(layout_.incoming));
  if (order < 2) return;
  if (!single) scale_back(q_.data(), count);
  second_coefficients(first, count, single ? weighted_.data() : nullptr);
  add_columns(single ? q_.data() : scaled_.data(), count, table, T, fresh, moment(layout_.curvature));
  for (std::int64_t o = 0; o < K && !single; ++o) {
    first_coefficients(first, count, weighted_.data() + o * block_);
    add_columns(s_.data(), count, table, D, fresh, moment(layout_.cross + o * D));
  }
  if (problem_.shape.output_bias) {
    add_columns(h_.data(), count, weights, 1, fresh, moment(layout_.bias));
    first_coefficients(first, count, weights);
    add_columns(s_.data(), count, table, D, fresh, moment(layout_.bias + 1));
  }
}

void NeuronKernel::add_columns(const double* rows, std::int64_t count,
                               const double* coefficients, std::int64_t size, bool fresh,
                               double* out) noexcept {
  for_chunks(count, [&](std::int64_t k, std::int64_t width, std::int64_t at) {
    for (std::int64_t r = 0; r < size; r += kMaxSums)
      kAddRows[std::min<std::int64_t>(kMaxSums, size - r) - 1](
          count, coefficients + r, size, rows + at, width, fresh, out + r * stride_ + k, stride_);
  });
}

void NeuronKernel::first_coefficients(std::int64_t first, std::int64_t count,
                                      const double* scale) noexcept {
  const std::int64_t D = layout_.features;
  const double* x = problem_.row_features.data() + first * D;
  double* out = coefficients_.data();
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = 0; j < D; ++j) *out++ = scale ? scale[i] * *x++ : *x++;
}

void NeuronKernel::second_coefficients(std::int64_t first, std::int64_t count,
                                       const double* scale) noexcept {
  const std::int64_t D = layout_.features;
  const double* x = problem_.row_features.data() + first * D;
  double* out = coefficients_.data();
  for (std::int64_t i = 0; i < count; ++i, x += D)
    for (std::int64_t j = 0; j < D; ++j)
      for (std::int64_t l = 0; l <= j; ++l) {
        const double product = x[j] * x[l];
        *out++ = scale ? scale[i] * product : product;
      }
}

void NeuronKernel::scale_back(const double* rows, std::int64_t count) noexcept {
  const std::int64_t K = problem_.shape.outputs;
  for_chunks(count, [&](std::int64_t first, std::int64_t width, std::int64_t at) {
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t k = 0; k < width; k += kLanes) {
        Native back{};
        for (std::int64_t o = 0; o < K; ++o)
          back = fma(broadcast<Native>(weighted_rows_.data()[i * K + o]),
                     load<Native>(weight(o) + first + k), back);
        const std::int64_t n = at + i * width + k;
        store_unaligned(scaled_.data() + n, back * load_unaligned<Native>(rows + n));
      }
  });
}

void NeuronKernel::pack(std::int64_t first, std::int64_t count, std::int64_t place) noexcept {
  const std::int64_t D = layout_.features;
  for_chunks(count, [&](std::int64_t k, std::int64_t width, std::int64_t at) {
    for (std::int64_t l = 0; l < width; l += kPanel)
      for (int v = 0; v < kPanel; v += kLanes)
        with_count(D, [&]<int C>() {
          pack_columns<C>(D, count, problem_.row_roots.data() + first,
                          problem_.row_features.data() + first * D, h_.data() + at + l + v,
                          s_.data() + at + l + v, width, lanes_below(width - l - v),
                          pairs_.panel(0, (k + l) / kPanel, place) + v,
                          pairs_.panel(1, 0, 0) - pairs_.panel(0, 0, 0));
        });
  });
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
