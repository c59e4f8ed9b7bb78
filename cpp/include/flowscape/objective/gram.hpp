// Products of packed panels: sums over samples of every pair of neurons, for wide networks.
//
// A panel is [sample][8]: 8 neurons of one component over a block of samples. Component 0 is h,
// component 1 + j is s x_j, both times sqrt(W). A tile is the product of two panels,
// tile[k][l] = sum_i a_ik b_il. Of the (1 + D)^2 products of components, those needed are
//   h h        lower triangle of tiles,
//   h s x_j    all tiles,
//   s s x x^T  lower triangle, once for x_j x_l and x_l x_j:
// for D = 4 that is 19 of the 25 that a symmetric product of the whole Jacobian takes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "flowscape/objective/shape.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

inline constexpr int kPanel = 8;  ///< neurons of a panel, on every level
inline constexpr int kPanelTile = kPanel * kPanel;  ///< entries of a tile

/// Panels of `width` neurons.
constexpr std::int64_t panels_of(std::int64_t width) noexcept {
  return (width + kPanel - 1) / kPanel;
}

namespace gram {

/// Rows and panels of columns summed in registers at once: 24 of 32 registers with 8 lanes, 8 of
/// 16 with 4 or 2, where the panel itself takes 2 or 4.
inline constexpr int kRows = kLanes == 8 ? 8 : kLanes == 4 ? 4 : 2;
inline constexpr int kStrip = kLanes == 8 ? 3 : 1;

/// Rows 0 .. R-1 of `C` tiles side by side: out[c][r][l] = or += sum_i a_ir b_icl.
template <int R, int C>
void multiply_panels(std::int64_t samples, const double* a, const double* b,
                     std::int64_t panel_stride, bool first, double* out) noexcept {
  constexpr int V = kPanel / kLanes;          // vectors of a panel
  constexpr int U = R * C * V < 8 ? 2 : 1;    // enough independent sums to hide the latency
  Native sum[U][R][C][V] = {};
  const auto add = [&](std::int64_t i, int u) {
    Native right[C][V];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v)
        right[c][v] = load<Native>(b + c * panel_stride + i * kPanel + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Native left = broadcast<Native>(a[i * kPanel + r]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) sum[u][r][c][v] = fma(left, right[c][v], sum[u][r][c][v]);
    }
  };
  std::int64_t i = 0;
  if constexpr (U == 2) {
    for (; i + 2 <= samples; i += 2) add(i, 0), add(i + 1, 1);
    if (i < samples) add(i, 0);
  } else {
    for (; i < samples; ++i) add(i, 0);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        double* const place = out + c * kPanelTile + r * kPanel + v * kLanes;
        Native total = sum[0][r][c][v];
        if constexpr (U == 2) total += sum[1][r][c][v];
        store(place, first ? total : load<Native>(place) + total);
      }
}

/// The same with run-time counts, rows in groups of at most kRows.
void multiply_strip(std::int64_t samples, const double* a, std::int64_t rows, const double* b,
                    std::int64_t panel_stride, std::int64_t count, bool first,
                    double* out) noexcept;

}  // namespace gram

/// The pair sums of one network and the packed panels they are made of.
class PairSums {
 public:
  PairSums() = default;
  /// Allocates panels for blocks of at most `samples` samples.
  PairSums(const Shape& shape, std::int64_t samples);

  /// Samples of a block such that its panels stay in the second-level cache.
  static std::int64_t block(const Shape& shape) noexcept;

  std::int64_t panels() const noexcept { return panels_; }
  std::int64_t capacity() const noexcept { return capacity_; }

  /// Component c of the neurons of panel k at sample i of the block.
  double* panel(std::int64_t c, std::int64_t k, std::int64_t i) noexcept {
    return data_.data() + ((c * panels_ + k) * capacity_ + i) * kPanel;
  }

  /// Adds the products of the first `samples` of the panels, or sets them if `first`. On several
  /// threads each tile is still the work of one: the same bits.
  void add(std::int64_t samples, bool first, int n_threads) noexcept;

  // Tiles of row panel k and column panel l; l <= k for the first and the last.
  const double* hh(std::int64_t k, std::int64_t l) const noexcept { return lower(0, k, l); }
  const double* hs(std::int64_t j, std::int64_t k, std::int64_t l) const noexcept {
    return tiles_.data() + full(j, k, l);
  }
  const double* ss(std::int64_t t, std::int64_t k, std::int64_t l) const noexcept {
    return lower(1 + t, k, l);
  }

 private:
  /// The products of components c and u of some row panels, from k0 on.
  void add_group(std::int64_t c, std::int64_t u, std::int64_t k0, std::int64_t samples,
                 bool first) noexcept;
  std::int64_t lower_at(std::int64_t product, std::int64_t k, std::int64_t l) const noexcept {
    return (product * triangle(panels_) + packed(k, l)) * kPanelTile;
  }
  const double* lower(std::int64_t product, std::int64_t k, std::int64_t l) const noexcept {
    return tiles_.data() + lower_at(product, k, l);
  }
  std::int64_t full(std::int64_t j, std::int64_t k, std::int64_t l) const noexcept {
    return ((1 + triangle(features_)) * triangle(panels_) + (j * panels_ + k) * panels_ + l) *
           kPanelTile;
  }

  std::int64_t width_ = 0, features_ = 0, panels_ = 0, capacity_ = 0;
  AlignedBuffer data_, tiles_;
};

}  // namespace flowscape
