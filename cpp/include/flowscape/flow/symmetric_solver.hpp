// Factors of H + shift I, for every lane at once or for one network.
#pragma once

#include <cstdint>

#include "flowscape/linalg/dense.hpp"
#include "flowscape/objective/shape.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// L D L^T without pivoting, lanes in parallel; meant for positive definite matrices.
template <int W>
class SymmetricSolver {
 public:
  using V = Vec<W>;
  explicit SymmetricSolver(std::int64_t order)
      : order_(order), factor_(triangle(order) * W), inverse_(order * W), row_(order * W) {}

  /// Factors matrix + shift I; `matrix` packed lower [tri(P)][W]. Returns the lanes in which a
  /// pivot was not positive: those are not positive definite and must not be solved with.
  Mask<W> factor(const double* matrix, V shift) noexcept {
    Mask<W> failed{};
    double* const u = row_.data();
    for (std::int64_t i = 0; i < order_; ++i) {
      double* const li = factor_.data() + packed(i, 0) * W;
      const double* const ai = matrix + packed(i, 0) * W;
      for (std::int64_t j = 0; j < i; ++j) {
        const double* const lj = factor_.data() + packed(j, 0) * W;
        V sum = load<V>(ai + j * W);
        for (std::int64_t q = 0; q < j; ++q)
          sum = fma(-load<V>(u + q * W), load<V>(lj + q * W), sum);
        store(u + j * W, sum);
      }
      V pivot = load<V>(ai + i * W) + shift;
      for (std::int64_t q = 0; q < i; ++q) {
        const V uq = load<V>(u + q * W), l = uq * load<V>(inverse_.data() + q * W);
        store(li + q * W, l);
        pivot = fma(-l, uq, pivot);
      }
      failed |= ~(pivot > 0.0);
      store(inverse_.data() + i * W, 1.0 / pivot);
    }
    return failed;
  }

  /// b <- (matrix + shift I)^{-1} b, b [P][W].
  void solve(double* b) const noexcept {
    for (std::int64_t i = 1; i < order_; ++i) {
      const double* const l = factor_.data() + packed(i, 0) * W;
      V sum = load<V>(b + i * W);
      for (std::int64_t q = 0; q < i; ++q) sum = fma(-load<V>(l + q * W), load<V>(b + q * W), sum);
      store(b + i * W, sum);
    }
    for (std::int64_t i = 0; i < order_; ++i)
      store(b + i * W, load<V>(b + i * W) * load<V>(inverse_.data() + i * W));
    for (std::int64_t i = order_ - 1; i > 0; --i) {
      const double* const l = factor_.data() + packed(i, 0) * W;
      const V x = load<V>(b + i * W);
      for (std::int64_t q = 0; q < i; ++q)
        store(b + q * W, fma(-load<V>(l + q * W), x, load<V>(b + q * W)));
    }
  }

 private:
  std::int64_t order_;
  AlignedBuffer factor_, inverse_, row_;
};

/// One network: blocked Cholesky.
template <>
class SymmetricSolver<1> {
 public:
  explicit SymmetricSolver(std::int64_t order) : order_(order), matrix_(order * order) {}

  Mask<1> factor(const double* matrix, Vec<1> shift) noexcept {
    for (std::int64_t i = 0; i < order_; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) matrix_.data()[j * order_ + i] = *matrix++;
      matrix_.data()[i * order_ + i] += shift[0];
    }
    return Mask<1>{cholesky_factor(order_, matrix_.data()) ? 0 : -1};
  }

  void solve(double* b) const noexcept { cholesky_solve(order_, matrix_.data(), b); }

 private:
  std::int64_t order_;
  AlignedBuffer matrix_;
};

}  // namespace flowscape
