// Wide networks: sums over samples, one column per neuron (moments.hpp).
#include <algorithm>
#include <array>
#include <utility>

#include "flowscape/objective/components.hpp"
#include "flowscape/objective/neuron_lanes.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

/// Sums held in registers at once by add_rows.
constexpr int kMaxSums = kLanes == 8 ? 10 : 5;

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

using AddRows = void (*)(std::int64_t, const double*, std::int64_t, const double*, std::int64_t,
                         bool, double*, std::int64_t) noexcept;

template <int... R>
constexpr std::array<AddRows, kMaxSums> all_sums(std::integer_sequence<int, R...>) {
  return {add_rows<R + 1>...};
}
constexpr auto kAddRows = all_sums(std::make_integer_sequence<int, kMaxSums>{});

}  // namespace

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
  with_count(D, [&]<int C>() {
    const std::int64_t size = C > 0 ? C : D;
    for (std::int64_t i = 0; i < count; ++i, x += size, out += size) {
      const double factor = scale != nullptr ? scale[i] : 1.0;
      for (std::int64_t j = 0; j < size; ++j) out[j] = factor * x[j];
    }
  });
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

}  // namespace flowscape
