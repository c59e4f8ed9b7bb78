// What is said of the last points: loss, gradient and the largest eigenvalue of the Hessian.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "flowscape/descent/descent.hpp"
#include "flowscape/linalg/dense.hpp"
#include "flowscape/objective/lane_rows.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape {
namespace {

constexpr std::int64_t kDense = 96;        // P up to which all eigenvalues are computed
constexpr std::int64_t kLongestBasis = 300;
constexpr double kRitzError = 1e-10;       // of the eigenvalue

double dot(const std::vector<double>& a, const std::vector<double>& b) noexcept {
  double sum = 0.0;
  for (std::size_t p = 0; p < a.size(); ++p) sum += a[p] * b[p];
  return sum;
}

/// Largest Ritz value of the tridiagonal matrix, and |last entry| of its unit vector.
std::pair<double, double> largest_ritz(const std::vector<double>& diagonal,
                                       const std::vector<double>& beside) {
  const auto n = static_cast<std::int64_t>(diagonal.size());
  std::vector<double> matrix(n * n, 0.0), values(n), vectors(n * n);
  for (std::int64_t i = 0; i < n; ++i) {
    matrix[i * n + i] = diagonal[i];
    if (i > 0) matrix[i * n + i - 1] = beside[i - 1];
  }
  symmetric_eigen(n, matrix.data(), values.data(), vectors.data());
  return {values[n - 1], std::abs(vectors[n * n - 1])};
}

/// Lanczos with full reorthogonalisation, until the bound on the error of the largest Ritz value is
/// kRitzError of it, or the basis is full. The value is then a lower bound.
double lanczos(Evaluator<SampleLanes>& evaluator, const double* theta) {
  const std::int64_t P = evaluator.parameters(), most = std::min(P, kLongestBasis);
  AlignedBuffer point(P), in(P), out(P);
  std::copy_n(theta, P, point.data());
  std::vector<std::vector<double>> basis;
  std::vector<double> diagonal, beside;
  // A start without structure: fractional parts of multiples of the golden ratio.
  std::vector<double> v(P);
  for (std::int64_t p = 0; p < P; ++p) v[p] = std::fmod(0.6180339887498949 * (p + 1), 1.0) - 0.5;
  double length = std::sqrt(dot(v, v)), value = 0.0;
  for (std::int64_t k = 0; k < most; ++k) {
    for (double& x : v) x /= length;
    basis.push_back(v);
    std::copy(v.begin(), v.end(), in.data());
    evaluator.hessian_vector(point.data(), in.data(), out.data());
    std::copy_n(out.data(), P, v.begin());
    diagonal.push_back(dot(v, basis.back()));
    if (!std::isfinite(diagonal.back())) return NAN;
    for (int pass = 0; pass < 2; ++pass)
      for (const auto& u : basis) {
        const double along = dot(v, u);
        for (std::int64_t p = 0; p < P; ++p) v[p] -= along * u[p];
      }
    length = std::sqrt(dot(v, v));
    const bool last = k + 1 == most || length <= 1e-14 * std::abs(value);
    if (last || k % 5 == 4) {
      const auto [ritz, tail] = largest_ritz(diagonal, beside);
      value = ritz;
      if (last || length * tail <= kRitzError * std::abs(ritz)) return value;
    }
    beside.push_back(length);
  }
  return value;
}

/// Largest eigenvalues at the rows first .. first + W - 1, by all eigenvalues of each Hessian.
template <class Layout>
class DenseEigenvalues {
 public:
  static constexpr int W = Layout::networks;

  explicit DenseEigenvalues(const Objective& objective)
      : lease_(objective.lease<Layout>(2)), P_(objective.parameters()), theta_(P_ * W),
        gradient_(P_ * W), loss_(W), hessian_(triangle(P_) * W), matrix_(P_ * P_), values_(P_) {}

  void operator()(std::int64_t first, std::int64_t batch, const double* theta, double* lambda) {
    gather_rows<W>(theta, batch, P_, first, theta_.data());
    lease_->evaluate(2, theta_.data(), loss_.data(), gradient_.data(), hessian_.data());
    for (int l = 0; l < std::min<std::int64_t>(W, batch - first); ++l) lambda[first + l] = largest(l);
  }

 private:
  double largest(int l) {
    const double* entry = hessian_.data() + l;
    for (std::int64_t i = 0; i < P_; ++i)
      for (std::int64_t j = 0; j <= i; ++j, entry += W) {
        if (!std::isfinite(*entry)) return NAN;
        matrix_[i * P_ + j] = *entry;
      }
    symmetric_eigen(P_, matrix_.data(), values_.data(), nullptr);
    return values_[P_ - 1];
  }

  typename EvaluatorPool<Layout>::Lease lease_;
  std::int64_t P_;
  AlignedBuffer theta_, gradient_, loss_, hessian_;
  std::vector<double> matrix_, values_;
};

void largest_eigenvalues(const Objective& objective, std::int64_t batch, const double* theta,
                         double* lambda, int n_threads, const std::atomic<bool>& stop) {
  const std::int64_t P = objective.parameters();
  if (P > kDense)
    return parallel_items(batch, n_threads, [&] {
      return [&, lease = objective.lease<SampleLanes>(1)](std::int64_t b) {
        if (!stop.load(std::memory_order_relaxed)) lambda[b] = lanczos(*lease, theta + b * P);
      };
    });
  objective.with_layout([&]<class Layout>() {
    constexpr std::int64_t W = Layout::networks;
    const double cost = static_cast<double>(batch) * (objective.nanoseconds(2) + 10.0 * static_cast<double>(P * P * P));
    parallel_items((batch + W - 1) / W, worthwhile_threads(cost, n_threads), [&] {
      return [&, dense = DenseEigenvalues<Layout>(objective)](std::int64_t block) mutable {
        if (!stop.load(std::memory_order_relaxed)) dense(block * W, batch, theta, lambda);
      };
    });
  });
}

}  // namespace

void end_points(const Objective& objective, std::int64_t batch, const double* theta, double* loss,
                double* gradient_norm, double* lambda_max, int n_threads,
                const std::atomic<bool>& stop) {
  const std::int64_t P = objective.parameters();
  std::vector<double> gradient(batch * P);
  objective.evaluate(1, batch, theta, loss, gradient.data(), nullptr, n_threads, &stop);
  for (std::int64_t b = 0; b < batch; ++b) {
    double& size = gradient_norm[b] = 0.0;
    for (std::int64_t p = 0; p < P; ++p) {
      const double value = std::abs(gradient[b * P + p]);
      size = std::isnan(value) ? INFINITY : std::max(size, value);
    }
  }
  largest_eigenvalues(objective, batch, theta, lambda_max, n_threads, stop);
}

}  // namespace flowscape
