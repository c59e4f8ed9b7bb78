#include "flowscape/objective/gram.hpp"

#include <array>
#include <utility>

#include "flowscape/parallel.hpp"

namespace flowscape {
namespace gram {
namespace {

using Multiply = void (*)(std::int64_t, const double*, const double*, std::int64_t, bool,
                          double*) noexcept;

template <int R>
constexpr std::array<Multiply, kStrip> strips_of() {
  if constexpr (kStrip == 3)
    return {multiply_panels<R, 1>, multiply_panels<R, 2>, multiply_panels<R, 3>};
  else
    return {multiply_panels<R, 1>};
}

template <int... R>
constexpr std::array<std::array<Multiply, kStrip>, kRows> all(std::integer_sequence<int, R...>) {
  return {strips_of<R + 1>()...};
}

constexpr auto kMultiply = all(std::make_integer_sequence<int, kRows>{});

/// Strip q of n panels: at most kStrip of them, and never one where two and two would do.
struct Strip {
  std::int64_t first, count;
};
Strip strip(std::int64_t n, std::int64_t q) noexcept {
  if (kStrip == 3 && n % 3 == 1 && n > 3 && (q == n / 3 - 1 || q == n / 3))
    return {q == n / 3 ? 3 * q - 1 : 3 * q, 2};
  return {q * kStrip, std::min<std::int64_t>(kStrip, n - q * kStrip)};
}

/// Row panels kept in the second-level cache while the columns pass.
constexpr std::int64_t kGroup = 8;

/// Work of a block from which on it is shared between threads.
constexpr double kSharedNanoseconds = 8e6;

/// Doubles of all panels, roughly: they fit the second-level cache.
constexpr std::int64_t kBlockDoubles = 1 << 16;

}  // namespace

void multiply_strip(std::int64_t samples, const double* a, std::int64_t rows, const double* b,
                    std::int64_t panel_stride, std::int64_t count, bool first,
                    double* out) noexcept {
  for (std::int64_t r = 0; r < rows; r += kRows)
    kMultiply[std::min<std::int64_t>(kRows, rows - r) - 1][count - 1](
        samples, a + r, b, panel_stride, first, out + r * kPanel);
}

}  // namespace gram

std::int64_t PairSums::block(const Shape& shape) noexcept {
  const std::int64_t row = (1 + shape.features()) * panels_of(shape.width) * kPanel;
  return std::clamp<std::int64_t>(gram::kBlockDoubles / row / 8 * 8, 64, 256);
}

PairSums::PairSums(const Shape& shape, std::int64_t samples)
    : width_(shape.width), features_(shape.features()), panels_(panels_of(shape.width)),
      capacity_(samples) {
  data_.resize((1 + features_) * panels_ * capacity_ * kPanel);
  tiles_.resize(full(features_, 0, 0));
}

void PairSums::add(std::int64_t samples, bool first, int n_threads) noexcept {
  const std::int64_t D = features_, products = 1 + D + triangle(D);
  const std::int64_t groups = (panels_ + gram::kGroup - 1) / gram::kGroup;
  const double nanoseconds = 0.25 / kPanel * static_cast<double>(
      samples * width_ * width_ * (1 + triangle(D) + 2 * D) / 2);
  // A region ends when its last thread does, and one that loses its core may be away for
  // milliseconds: only blocks that take longer are shared.
  const int threads = nanoseconds < gram::kSharedNanoseconds ? 1 : n_threads;
  parallel_items(products * groups, threads, [&] {
    return [&](std::int64_t item) {
      const std::int64_t product = item / groups, k0 = item % groups * gram::kGroup;
      std::int64_t c = 0, u = product;  // h with h and every s x_j, then s x_i with s x_j, j <= i
      if (product > D) {
        u = product - D;
        for (c = 1; u > c; ++c) u -= c;
      }
      add_group(c, u, k0, samples, first);
    };
  });
}

void PairSums::add_group(std::int64_t c, std::int64_t u, std::int64_t k0, std::int64_t samples,
                         bool first) noexcept {
  const std::int64_t stride = capacity_ * kPanel;
  const bool half = (c == 0) == (u == 0);
  const std::int64_t product = c == 0 ? 0 : 1 + packed(c - 1, u - 1);
  const std::int64_t k1 = std::min(panels_, k0 + gram::kGroup);
  for (std::int64_t q = 0; q * gram::kStrip < (half ? k1 : panels_); ++q)
    for (std::int64_t k = k0; k < k1; ++k) {
      const auto [l, count] = gram::strip(half ? k + 1 : panels_, q);
      if (count <= 0) continue;
      double* const out = tiles_.data() + (half ? lower_at(product, k, l) : full(u - 1, k, l));
      gram::multiply_strip(samples, panel(c, k, 0),
                           std::min<std::int64_t>(kPanel, width_ - k * kPanel), panel(u, l, 0),
                           stride, count, first, out);
    }
}

}  // namespace flowscape
