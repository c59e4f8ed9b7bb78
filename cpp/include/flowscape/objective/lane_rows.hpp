// Between rows, one network each, and a block [parameter][network]: transposes of W by W.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "flowscape/objective/shape.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Rows first .. first+W-1 of rows [total][columns]; the last row is repeated past the end.
template <int W>
void gather_rows(const double* rows, std::int64_t total, std::int64_t columns, std::int64_t first,
                 double* block) noexcept {
  if constexpr (W == 1) {
    std::copy_n(rows + first * columns, columns, block);
  } else {
    using V = Vec<W>;
    for (std::int64_t c = 0; c < columns; c += W) {
      const int count = static_cast<int>(std::min<std::int64_t>(W, columns - c));
      V tile[W];
#pragma GCC unroll 8
      for (int l = 0; l < W; ++l)
        tile[l] = load_first<V>(rows + std::min(first + l, total - 1) * columns + c, count);
      transpose(tile);
      for (int l = 0; l < count; ++l) store(block + (c + l) * W, tile[l]);
    }
  }
}

/// Writes `columns` values a row to rows first .. of `rows`, whose stride is `columns`; rows past
/// `total` are dropped. Value c is the vector block[place(c)]; place is called in order.
template <int W, class Place>
void scatter_places(const double* block, std::int64_t total, std::int64_t columns,
                    std::int64_t first, double* rows, Place&& place) noexcept {
  double* const out = rows + first * columns;
  if constexpr (W == 1) {
    for (std::int64_t c = 0; c < columns; ++c) out[c] = block[place(c)];
  } else {
    using V = Vec<W>;
    const std::int64_t live = std::min<std::int64_t>(W, total - first);
    for (std::int64_t c = 0; c < columns; c += W) {
      const int count = static_cast<int>(std::min<std::int64_t>(W, columns - c));
      V tile[W];
#pragma GCC unroll 8
      for (int l = 0; l < W; ++l)
        tile[l] = load<V>(block + place(std::min(c + l, columns - 1)) * W);
      transpose(tile);
      if (live == W && count == W) {
#pragma GCC unroll 8
        for (int l = 0; l < W; ++l) store_unaligned(out + l * columns + c, tile[l]);
      } else if (live == W) {
#pragma GCC unroll 8
        for (int l = 0; l < W; ++l) store_first(out + l * columns + c, tile[l], count);
      } else {
        for (std::int64_t l = 0; l < live; ++l)
          store_first(out + l * columns + c, tile[l], count);
      }
    }
  }
}

/// The inverse of gather_rows; rows past the end are dropped.
template <int W>
void scatter_rows(const double* block, std::int64_t total, std::int64_t columns,
                  std::int64_t first, double* rows) noexcept {
  scatter_places<W>(block, total, columns, first, rows, [](std::int64_t c) { return c; });
}

/// Place in the packed lower triangle of every entry of a symmetric matrix, row by row.
inline std::vector<std::int32_t> square_places(std::int64_t order) {
  std::vector<std::int32_t> places;
  for (std::int64_t i = 0; i < order; ++i)
    for (std::int64_t j = 0; j < order; ++j)
      places.push_back(static_cast<std::int32_t>(j <= i ? packed(i, j) : packed(j, i)));
  return places;
}

/// Packed lower triangles [tri(P)][network] to full symmetric matrices, one per row.
template <int W>
void scatter_symmetric(const double* block, std::int64_t total, std::int64_t order,
                       const std::int32_t* places, std::int64_t first, double* rows) noexcept {
  if constexpr (W == 1) {
    double* const matrix = rows + first * order * order;
    for (std::int64_t i = 0; i < order; ++i)
      for (std::int64_t j = 0; j <= i; ++j)
        matrix[i * order + j] = matrix[j * order + i] = *block++;
  } else {
    scatter_places<W>(block, total, order * order, first, rows,
                      [places](std::int64_t c) { return places[c]; });
  }
}

}  // namespace flowscape
