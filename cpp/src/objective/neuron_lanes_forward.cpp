// Wide networks: pre-activations, activations and the output's sums over neurons.
#include <algorithm>

#include "flowscape/objective/components.hpp"
#include "flowscape/objective/neuron_lanes.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

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

}  // namespace

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
    const MaskOf<Native> tail = lanes_below<Native>(width - (width - 1) / kLanes * kLanes);
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

}  // namespace flowscape
