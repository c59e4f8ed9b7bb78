#include "flowscape/objective/pair_products.hpp"

#include <array>

#include "flowscape/objective/moments.hpp"

namespace flowscape {
namespace {

struct Kernels {
  std::array<std::array<TileKernel, kTile>, kTile> full;
  std::array<TileKernel, kTile> lower;
};

template <bool scaled, int... index>
constexpr Kernels make_kernels(std::integer_sequence<int, index...>) {
  Kernels kernels{};
  ((kernels.full[index / kTile][index % kTile] =
        add_tile<index / kTile + 1, index % kTile + 1, false, scaled>),
   ...);
  ((kernels.lower[index / kTile] =
        add_tile<index / kTile + 1, index / kTile + 1, true, scaled>),
   ...);
  return kernels;
}

constexpr auto kTiles = std::make_integer_sequence<int, kTile * kTile>();
constexpr Kernels kKernels[] = {make_kernels<false>(kTiles), make_kernels<true>(kTiles)};

}  // namespace

TileKernel tile_kernel(std::int64_t rows, std::int64_t columns, bool lower, bool scaled) noexcept {
  const Kernels& kernels = kKernels[scaled];
  return lower ? kernels.lower[rows - 1] : kernels.full[rows - 1][columns - 1];
}

std::vector<std::int32_t> pair_places(const Shape& shape) {
  const MomentLayout layout(shape);
  const std::int64_t D = shape.features(), begin = layout.pairs();
  std::vector<std::int32_t> places(layout.size(2) - begin, 0);
  std::int32_t next = 0;
  for_pair_tiles(shape, [&](std::int64_t i, std::int64_t j, std::int64_t k0, std::int64_t k1,
                            std::int64_t l0, std::int64_t l1, bool lower) {
    for (std::int64_t k = k0; k < k1; ++k)
      for (std::int64_t l = l0; l < (lower ? k + 1 : l1); ++l, ++next) {
        const auto set = [&](std::int64_t a, std::int64_t c, std::int64_t moment) {
          places[layout.pair(a, c) - begin + moment] = next;
        };
        if (i > 0)
          set(k, l, 1 + 2 * D + packed(i - 1, j - 1));
        else if (j == 0)
          set(k, l, 0);
        else {  // h_k s_l x_j
          if (l <= k) set(k, l, j);
          if (l >= k) set(l, k, D + j);
        }
      }
  });
  return places;
}

}  // namespace flowscape
