// Between rows, one network each, and a block [parameter][network].
#pragma once

#include <algorithm>
#include <cstdint>

namespace flowscape {

/// Rows first .. first+W-1 of rows [total][columns]; the last row is repeated past the end.
template <int W>
void gather_rows(const double* rows, std::int64_t total, std::int64_t columns, std::int64_t first,
                 double* block) noexcept {
  for (int l = 0; l < W; ++l) {
    const double* const row = rows + std::min(first + l, total - 1) * columns;
    for (std::int64_t p = 0; p < columns; ++p) block[p * W + l] = row[p];
  }
}

/// The inverse; rows past the end are dropped.
template <int W>
void scatter_rows(const double* block, std::int64_t total, std::int64_t columns,
                  std::int64_t first, double* rows) noexcept {
  const std::int64_t live = std::min<std::int64_t>(W, total - first);
  for (std::int64_t l = 0; l < live; ++l)
    for (std::int64_t p = 0; p < columns; ++p) rows[(first + l) * columns + p] = block[p * W + l];
}

/// Packed lower triangles [tri(P)][network] to full symmetric matrices, one per row.
template <int W>
void scatter_symmetric(const double* block, std::int64_t total, std::int64_t order,
                       std::int64_t first, double* rows) noexcept {
  const std::int64_t live = std::min<std::int64_t>(W, total - first);
  for (std::int64_t l = 0; l < live; ++l) {
    double* const matrix = rows + (first + l) * order * order;
    const double* entry = block + l;
    for (std::int64_t i = 0; i < order; ++i)
      for (std::int64_t j = 0; j <= i; ++j, entry += W)
        matrix[i * order + j] = matrix[j * order + i] = *entry;
  }
}

}  // namespace flowscape
