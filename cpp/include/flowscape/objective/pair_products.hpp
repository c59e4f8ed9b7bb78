// Products between neurons, sum W h_k h_l, h_k s_l x and s_k s_l x x^T, by tiles of neurons.
//
// With rows g_k0 = sqrt(W) h_k and g_kj = sqrt(W) s_k x_j all of them are dot products of rows. A
// tile holds the products of up to kTile neurons with as many others for one pair of components
// (i, j): that many accumulators stay in registers and each row that is read serves a whole side of
// the tile. Components i >= j >= 1 are symmetric in k and l, and so is (0, 0): those tiles are
// summed for l <= k only.
#pragma once

#include <cstdint>
#include <vector>

#include "flowscape/objective/kernels-inl.hpp"

namespace flowscape {

/// Accumulators of a tile and the rows of one side must fit the registers.
inline constexpr int kTile = kLanes == 8 ? 5 : 3;

/// Neurons per tile: equal shares, so that seven neurons are four and three, not five and two.
constexpr std::int64_t tile_side(std::int64_t width) noexcept {
  const std::int64_t tiles = (width + kTile - 1) / kTile;
  return (width + tiles - 1) / tiles;
}

/// Calls visit(i, j, k0, k1, l0, l1, lower) for every tile, neurons k0 <= k < k1 by l0 <= l < l1,
/// only l <= k if `lower`, always in the same order.
template <class Visit>
void for_pair_tiles(const Shape& shape, Visit&& visit) {
  const std::int64_t m = shape.width, side = tile_side(m), rows = 1 + shape.features();
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = i == 0 ? 0 : 1; j < (i == 0 ? rows : i + 1); ++j) {
      const bool symmetric = i > 0 || j == 0;
      for (std::int64_t k = 0; k < m; k += side)
        for (std::int64_t l = 0; l < (symmetric ? k + 1 : m); l += side)
          visit(i, j, k, std::min(k + side, m), l, std::min(l + side, m), symmetric && k == l);
    }
}

/// Place of each pair moment in the order in which tiles are summed: index of moments.hpp, from
/// `pairs()` on, to position. Moments that are the mirror of another share its place.
std::vector<std::int32_t> pair_places(const Shape& shape);

/// Fills the rows of a block.
template <class Layout>
void pair_rows(const ProblemData& p, std::int64_t first, std::int64_t steps,
               const BlockScratch& b) noexcept {
  const std::int64_t D = p.shape.features(), row = steps * kLanes;
  const auto x = Layout::features(p, first);
  const auto root = Layout::roots(p, first);
  double* out = b.rows;
  for (std::int64_t k = 0; k < p.shape.width; ++k, out += (1 + D) * row)
    for (std::int64_t i = 0; i < steps; ++i) {
      put(out, i, root.get(i, 0) * at(b.h, k * steps + i));
      const Native s = root.get(i, 0) * at(b.s, k * steps + i);
      for (std::int64_t j = 0; j < D; ++j) put(out + (1 + j) * row, i, s * x.get(i, j));
    }
}

/// sums[r][c] += sum_i a_ri b_ci; c <= r only if `lower`. Rows are `stride` doubles apart.
template <int R, int C, bool lower>
void add_tile(const double* a, const double* b, std::int64_t stride, std::int64_t steps,
              double* sums) noexcept {
  Native sum[R][C];
  int n = 0;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < (lower ? r + 1 : C); ++c) sum[r][c] = at(sums, n++);
  for (std::int64_t i = 0; i < steps; ++i) {
    Native right[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) right[c] = at(b + c * stride, i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Native left = at(a + r * stride, i);
#pragma GCC unroll 8
      for (int c = 0; c < (lower ? r + 1 : C); ++c) sum[r][c] = fma(left, right[c], sum[r][c]);
    }
  }
  n = 0;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < (lower ? r + 1 : C); ++c) put(sums, n++, sum[r][c]);
}

using TileKernel = void (*)(const double*, const double*, std::int64_t, std::int64_t,
                            double*) noexcept;

/// add_tile for rows x columns neurons.
TileKernel tile_kernel(std::int64_t rows, std::int64_t columns, bool lower) noexcept;

/// Adds the products of a block to `sums`, vectors in the order of the tiles.
inline void add_pair_products(const Shape& shape, std::int64_t steps, const double* rows,
                              double* sums) noexcept {
  const std::int64_t row = steps * kLanes, stride = (1 + shape.features()) * row;
  for_pair_tiles(shape, [&](std::int64_t i, std::int64_t j, std::int64_t k0, std::int64_t k1,
                            std::int64_t l0, std::int64_t l1, bool lower) {
    const std::int64_t height = k1 - k0, breadth = l1 - l0;
    tile_kernel(height, breadth, lower)(rows + k0 * stride + i * row, rows + l0 * stride + j * row,
                                        stride, steps, sums);
    sums += (lower ? triangle(height) : height * breadth) * kLanes;
  });
}

}  // namespace flowscape
