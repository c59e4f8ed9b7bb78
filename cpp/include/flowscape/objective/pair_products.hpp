// Products between neurons, sum W h_k h_l, h_k s_l x and s_k s_l x x^T, by tiles of neurons.
//
// All of them are dot products of a row h_k or s_k with a row h_l or s_l and with a factor, 1, x_j
// or x_j x_l; with rows g_kj = s_k x_j, for many features, the factor is 1. Rows carry the root of
// the weights; samples of one weight leave it to the assembly. A tile holds the products of up to
// kTile neurons with as many others for one pair of components (i, j), component 0 being h and j
// being s x_j: that many accumulators stay in registers and each row that is read serves a whole
// side of the tile. Components i >= j >= 1 are symmetric in k and l, and so is (0, 0): those tiles
// are summed for l <= k only.
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

/// What the products of `add_pair_products` lack: one weight of all samples, or 1.
inline double missing_weight(const ProblemData& p) noexcept {
  return p.equal_weights ? p.row_weights.data()[0] : 1.0;
}

/// h and s of a block become factors of the products and are of no other use then: times the root
/// of the sample weights unless missing_weight has them, and without the padding.
template <class Layout>
void weight_rows(const ProblemData& p, std::int64_t first, std::int64_t steps,
                 const BlockScratch& b) noexcept {
  std::int64_t from = 0;
  if (p.equal_weights) {  // only padding has to go, at the end of all samples
    if (first + steps < Layout::steps(p)) return;
    from = std::max<std::int64_t>(0, steps - kSampleMultiple / kLanes);
  }
  const auto root = Layout::roots(p, first);
  for (double* rows : {b.h, b.s})
    for (std::int64_t k = 0; k < p.shape.width; ++k, rows += steps * kLanes)
      for (std::int64_t i = from; i < steps; ++i) {
        const Native w = root.get(i, 0), value = at(rows, i);
        put(rows, i, p.equal_weights ? select<Native>(w > Native{}, value, Native{}) : w * value);
      }
}

/// s x_j of a block into `rows`, for features whose products have no table.
template <class Layout>
void feature_rows(const ProblemData& p, std::int64_t first, std::int64_t steps,
                  const BlockScratch& b) noexcept {
  const std::int64_t features = p.shape.features(), row = steps * kLanes;
  const auto x = Layout::features(p, first);
  double *s = b.s, *out = b.rows;
  for (std::int64_t k = 0; k < p.shape.width; ++k, s += row, out += features * row)
    for (std::int64_t j = 0; j < features; ++j)
      for (std::int64_t i = 0; i < steps; ++i) put(out + j * row, i, at(s, i) * x.get(i, j));
}

/// What the product of two rows is still to be multiplied with: vectors over steps, x_j and x_j x_l
/// (null if the rows have them), `stride` doubles apart.
struct PairFactors {
  const double *features, *products;
  std::int64_t stride;
};

/// Rows of several neurons, `stride` doubles apart.
struct TileSide {
  const double* rows;
  std::int64_t stride;
};

/// sums[r][c] += sum_i a_ri b_ci, times factor_i if `scaled`; c <= r only if `lower`.
template <int R, int C, bool lower, bool scaled>
void add_tile(TileSide a, TileSide b, const double* factor, std::int64_t steps,
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
    for (int c = 0; c < C; ++c) right[c] = at(b.rows + c * b.stride, i);
    if constexpr (scaled)
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) right[c] *= at(factor, i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Native left = at(a.rows + r * a.stride, i);
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

using TileKernel = void (*)(TileSide, TileSide, const double*, std::int64_t, double*) noexcept;

/// add_tile for rows x columns neurons.
TileKernel tile_kernel(std::int64_t rows, std::int64_t columns, bool lower, bool scaled) noexcept;

/// Adds the products of a block to `sums`, vectors in the order of the tiles. With factors the rows
/// are h and s alone: s x_j would be D more rows a neuron to write and to read, which costs more than
/// the products it saves.
inline void add_pair_products(const Shape& shape, std::int64_t steps, const BlockScratch& b,
                              const PairFactors& factors, double* sums) noexcept {
  const std::int64_t row = steps * kLanes, D = shape.features();
  const auto side = [&](std::int64_t component, std::int64_t k) -> TileSide {
    if (component == 0) return {b.h + k * row, row};
    if (factors.features != nullptr) return {b.s + k * row, row};
    return {b.rows + (k * D + component - 1) * row, D * row};
  };
  for_pair_tiles(shape, [&](std::int64_t i, std::int64_t j, std::int64_t k0, std::int64_t k1,
                            std::int64_t l0, std::int64_t l1, bool lower) {
    const std::int64_t height = k1 - k0, breadth = l1 - l0;
    const bool scaled = j > 0 && factors.features != nullptr;
    const double* factor = nullptr;
    if (scaled)
      factor = i == 0 ? factors.features + (j - 1) * factors.stride
                      : factors.products + packed(i - 1, j - 1) * factors.stride;
    tile_kernel(height, breadth, lower, scaled)(side(i, k0), side(j, l0), factor, steps, sums);
    sums += (lower ? triangle(height) : height * breadth) * kLanes;
  });
}

}  // namespace flowscape
