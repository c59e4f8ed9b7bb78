// Factors of H + shift I, for every lane at once or for one network.
#pragma once

#include <cstdint>
#include <utility>

#include "flowscape/linalg/dense.hpp"
#include "flowscape/objective/shape.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// L D L^T without pivoting, lanes in parallel; meant for positive definite matrices. Orders up to
/// kUnrolled have code of their own, which keeps the vector being solved for in registers.
template <int W>
class SymmetricSolver {
 public:
  using V = Vec<W>;
  explicit SymmetricSolver(std::int64_t order)
      : order_(order), factor_(triangle(order) * W), inverse_(order * W), row_(order * W),
        kernels_(order <= kUnrolled ? unrolled(static_cast<int>(order)) : Kernels{}) {}

  /// Factors matrix + shift I; `matrix` packed lower [tri(P)][W]. Returns the lanes in which a
  /// pivot was not positive: those are not positive definite and must not be solved with.
  Mask<W> factor(const double* matrix, V shift) noexcept {
    if (kernels_.factor != nullptr) return (this->*kernels_.factor)(matrix, shift);
    Mask<W> failed{};
    double* const u = row_.data();
    for (std::int64_t i = 0; i < order_; ++i) {
      double* const li = factor_.data() + packed(i, 0) * W;
      const double* const ai = matrix + packed(i, 0) * W;
      for (std::int64_t j = 0; j < i; ++j) {
        const double* const lj = factor_.data() + packed(j, 0) * W;
        V sum = load<V>(ai + j * W);
        for (std::int64_t q = 0; q < j; ++q)
          sum = fnma(load<V>(u + q * W), load<V>(lj + q * W), sum);
        store(u + j * W, sum);
      }
      V pivot = load<V>(ai + i * W) + shift;
      for (std::int64_t q = 0; q < i; ++q) {
        const V uq = load<V>(u + q * W), l = uq * inverse(q);
        store(li + q * W, l);
        pivot = fnma(l, uq, pivot);
      }
      failed |= ~(pivot > 0.0);
      store(inverse_.data() + i * W, 1.0 / pivot);
    }
    return failed;
  }

  /// b <- (matrix + shift I)^{-1} b, b [P][W].
  void solve(double* b) const noexcept {
    if (kernels_.solve != nullptr) return (this->*kernels_.solve)(b);
    for (std::int64_t i = 1; i < order_; ++i) {
      V sum = load<V>(b + i * W);
      for (std::int64_t q = 0; q < i; ++q) sum = fnma(lower(i, q), load<V>(b + q * W), sum);
      store(b + i * W, sum);
    }
    for (std::int64_t i = 0; i < order_; ++i) store(b + i * W, load<V>(b + i * W) * inverse(i));
    for (std::int64_t i = order_ - 1; i > 0; --i) {
      const V x = load<V>(b + i * W);
      for (std::int64_t q = 0; q < i; ++q)
        store(b + q * W, fnma(lower(i, q), x, load<V>(b + q * W)));
    }
  }

  /// product <- matrix x, `matrix` packed lower.
  void multiply(const double* matrix, const double* x, double* product) const noexcept {
    if (kernels_.multiply != nullptr) return kernels_.multiply(matrix, x, product);
    for (std::int64_t i = 0; i < order_; ++i) {
      V sum{};
      for (std::int64_t j = 0; j <= i; ++j, matrix += W) {
        sum = fma(load<V>(matrix), load<V>(x + j * W), sum);
        if (j < i)
          store(product + j * W,
                fma(load<V>(matrix), load<V>(x + i * W), load<V>(product + j * W)));
      }
      store(product + i * W, sum);
    }
  }

 private:
  static constexpr int kUnrolled = 9;
  struct Kernels {
    Mask<W> (SymmetricSolver::*factor)(const double*, V) noexcept = nullptr;
    void (SymmetricSolver::*solve)(double*) const noexcept = nullptr;
    void (*multiply)(const double*, const double*, double*) noexcept = nullptr;
  };

  FLOWSCAPE_INLINE V lower(std::int64_t i, std::int64_t j) const noexcept {
    return load<V>(factor_.data() + packed(i, j) * W);
  }
  FLOWSCAPE_INLINE V inverse(std::int64_t i) const noexcept {
    return load<V>(inverse_.data() + i * W);
  }

  /// Right-looking: column j is divided by its pivot and taken out of the rest at once, so that
  /// the next pivot waits for one update only.
  template <int P>
  Mask<W> factor_unrolled(const double* matrix, V shift) noexcept {
    V a[P][P];
    Mask<W> failed{};
#pragma GCC unroll 16
    for (int i = 0; i < P; ++i)
#pragma GCC unroll 16
      for (int j = 0; j <= i; ++j) {
        a[i][j] = load<V>(matrix + packed(i, j) * W);
        if (i == j) a[i][j] += shift;
      }
#pragma GCC unroll 16
    for (int j = 0; j < P; ++j) {
      failed |= ~(a[j][j] > 0.0);
      const V reciprocal = 1.0 / a[j][j];
      store(inverse_.data() + j * W, reciprocal);
#pragma GCC unroll 16
      for (int i = j + 1; i < P; ++i) {
        const V l = a[i][j] * reciprocal;
#pragma GCC unroll 16
        for (int k = j + 1; k <= i; ++k) a[i][k] = fnma(l, a[k][j], a[i][k]);
        store(factor_.data() + packed(i, j) * W, l);
      }
    }
    return failed;
  }

  template <int P>
  void solve_unrolled(double* b) const noexcept {
    V x[P];
#pragma GCC unroll 16
    for (int i = 0; i < P; ++i) x[i] = load<V>(b + i * W);
#pragma GCC unroll 16
    for (int j = 0; j < P; ++j)
#pragma GCC unroll 16
      for (int i = j + 1; i < P; ++i) x[i] = fnma(lower(i, j), x[j], x[i]);
#pragma GCC unroll 16
    for (int i = 0; i < P; ++i) x[i] *= inverse(i);
#pragma GCC unroll 16
    for (int i = P - 1; i >= 0; --i) {
#pragma GCC unroll 16
      for (int j = 0; j < i; ++j) x[j] = fnma(lower(i, j), x[i], x[j]);
      store(b + i * W, x[i]);
    }
  }

  template <int P>
  static void multiply_unrolled(const double* matrix, const double* x, double* product) noexcept {
    V sum[P]{};
#pragma GCC unroll 16
    for (int i = 0; i < P; ++i)
#pragma GCC unroll 16
      for (int j = 0; j <= i; ++j) {
        const V entry = load<V>(matrix + packed(i, j) * W);
        sum[i] = fma(entry, load<V>(x + j * W), sum[i]);
        if (j < i) sum[j] = fma(entry, load<V>(x + i * W), sum[j]);
      }
#pragma GCC unroll 16
    for (int i = 0; i < P; ++i) store(product + i * W, sum[i]);
  }

  static Kernels unrolled(int order) noexcept {
    return unrolled(order, std::make_integer_sequence<int, kUnrolled>());
  }
  template <int... p>
  static Kernels unrolled(int order, std::integer_sequence<int, p...>) noexcept {
    constexpr Kernels kernels[] = {{&SymmetricSolver::template factor_unrolled<p + 1>,
                                    &SymmetricSolver::template solve_unrolled<p + 1>,
                                    &SymmetricSolver::template multiply_unrolled<p + 1>}...};
    return kernels[order - 1];
  }

  std::int64_t order_;
  AlignedBuffer factor_, inverse_, row_;
  Kernels kernels_;
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

  void multiply(const double* matrix, const double* x, double* product) const noexcept {
    for (std::int64_t i = 0; i < order_; ++i) {
      double sum = 0.0;
      for (std::int64_t j = 0; j < i; ++j, ++matrix) {
        sum += *matrix * x[j];
        product[j] += *matrix * x[i];
      }
      product[i] = sum + *matrix++ * x[i];
    }
  }

 private:
  std::int64_t order_;
  AlignedBuffer matrix_;
};

}  // namespace flowscape
