// What a vector of lanes holds: the two memory layouts behind one set of kernels.
//
// A kernel walks "steps". NetworkLanes: a step is one sample and lane l is network l, so no sum
// runs across lanes and N steps make the whole sum. SampleLanes: a step is kLanes samples of one
// network; lanes are summed once, at the end, in a fixed order. OwnSamples: as NetworkLanes, but
// every network has samples of its own.
#pragma once

#include "flowscape/objective/problem_data.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

struct NetworkLanes {
  static constexpr int networks = kLanes;  ///< networks per block
  static constexpr KernelShape kernel = KernelShape::network_lanes;

  static std::int64_t steps(const ProblemData& p) noexcept { return p.samples; }
  static std::int64_t block_steps(const ProblemData& p) noexcept { return p.samples; }

  struct Columns {
    const double* base;
    std::int64_t stride;
    FLOWSCAPE_INLINE Native get(std::int64_t step, std::int64_t column) const noexcept {
      return broadcast<Native>(base[step * stride + column]);
    }
  };
  static Columns features(const ProblemData& p, std::int64_t first) noexcept {
    const std::int64_t n = p.shape.features();
    return {p.row_features.data() + first * n, n};
  }
  static Columns products(const ProblemData& p, std::int64_t first) noexcept {
    const std::int64_t n = triangle(p.shape.features());
    return {p.row_products.data() + first * n, n};
  }
  static Columns targets(const ProblemData& p, std::int64_t first) noexcept {
    return {p.row_targets.data() + first * p.shape.outputs, p.shape.outputs};
  }
  static Columns weights(const ProblemData& p, std::int64_t first) noexcept {
    return {p.row_weights.data() + first, 1};
  }
  static Columns roots(const ProblemData& p, std::int64_t first) noexcept {
    return {p.row_roots.data() + first, 1};
  }
  FLOWSCAPE_INLINE static Native parameter(const double* theta, std::int64_t p) noexcept {
    return load<Native>(theta + p * kLanes);
  }
};

/// Rows of samples hold kLanes values per entry, one for each network. Up to order 1.
struct OwnSamples {
  static constexpr int networks = kLanes;
  static constexpr KernelShape kernel = KernelShape::network_lanes;

  static std::int64_t steps(const ProblemData& p) noexcept { return p.samples; }
  static std::int64_t block_steps(const ProblemData& p) noexcept { return p.samples; }

  struct Columns {
    const double* base;
    std::int64_t stride;
    FLOWSCAPE_INLINE Native get(std::int64_t step, std::int64_t column) const noexcept {
      return load<Native>(base + (step * stride + column) * kLanes);
    }
  };
  static Columns rows(const AlignedBuffer& buffer, std::int64_t stride,
                      std::int64_t first) noexcept {
    return {buffer.data() + first * stride * kLanes, stride};
  }
  static Columns features(const ProblemData& p, std::int64_t first) noexcept {
    return rows(p.row_features, p.shape.features(), first);
  }
  static Columns products(const ProblemData& p, std::int64_t first) noexcept {
    return rows(p.row_products, triangle(p.shape.features()), first);
  }
  static Columns targets(const ProblemData& p, std::int64_t first) noexcept {
    return rows(p.row_targets, p.shape.outputs, first);
  }
  static Columns weights(const ProblemData& p, std::int64_t first) noexcept {
    return rows(p.row_weights, 1, first);
  }
  static Columns roots(const ProblemData& p, std::int64_t first) noexcept {
    return rows(p.row_roots, 1, first);
  }
  FLOWSCAPE_INLINE static Native parameter(const double* theta, std::int64_t p) noexcept {
    return load<Native>(theta + p * kLanes);
  }
};

struct SampleLanes {
  static constexpr int networks = 1;
  static constexpr KernelShape kernel = KernelShape::sample_lanes;

  static std::int64_t steps(const ProblemData& p) noexcept { return p.padded_samples / kLanes; }
  static std::int64_t block_steps(const ProblemData& p) noexcept {
    return sample_block(p.shape) / kLanes;
  }

  struct Columns {
    const double* base;
    std::int64_t stride;
    FLOWSCAPE_INLINE Native get(std::int64_t step, std::int64_t column) const noexcept {
      return load<Native>(base + column * stride + step * kLanes);
    }
  };
  static Columns columns(const AlignedBuffer& buffer, const ProblemData& p,
                         std::int64_t first) noexcept {
    return {buffer.data() + first * kLanes, p.padded_samples};
  }
  static Columns features(const ProblemData& p, std::int64_t first) noexcept {
    return columns(p.column_features, p, first);
  }
  static Columns products(const ProblemData& p, std::int64_t first) noexcept {
    return columns(p.column_products, p, first);
  }
  static Columns targets(const ProblemData& p, std::int64_t first) noexcept {
    return columns(p.column_targets, p, first);
  }
  static Columns weights(const ProblemData& p, std::int64_t first) noexcept {
    return columns(p.column_weights, p, first);
  }
  static Columns roots(const ProblemData& p, std::int64_t first) noexcept {
    return columns(p.column_roots, p, first);
  }
  FLOWSCAPE_INLINE static Native parameter(const double* theta, std::int64_t p) noexcept {
    return broadcast<Native>(theta[p]);
  }
};

}  // namespace flowscape
