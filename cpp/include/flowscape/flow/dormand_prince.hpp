// Dormand-Prince 5(4) with a spectral cap on the step (Hairer, Norsett and Wanner, Solving ODEs I).
//
// Without the cap error control alone parks the stiff components at the tolerance and the
// gradient never falls below it. The stability interval of the method on the negative axis is
// about [-3.3, 0]; the step is held below kReach over a bound of the largest eigenvalue of H.
#pragma once

#include <cstdint>

#include "flowscape/objective/evaluator.hpp"

namespace flowscape {

struct DormandPrince {
  static constexpr int stages = 7;
  static constexpr double a[7][6] = {
      {},
      {1.0 / 5},
      {3.0 / 40, 9.0 / 40},
      {44.0 / 45, -56.0 / 15, 32.0 / 9},
      {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
      {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
      {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
  static constexpr double error[7] = {71.0 / 57600,      0.0,        -71.0 / 16695, 71.0 / 1920,
                                      -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
  // Continuous extension of order 4: weights of the slopes in its highest term.
  static constexpr double dense[7] = {-12715105075.0 / 11282082432.0,
                                      0.0,
                                      87487479700.0 / 32700410799.0,
                                      -10690763975.0 / 1880347072.0,
                                      701980252875.0 / 199316789632.0,
                                      -1453857185.0 / 822651844.0,
                                      69997945.0 / 29380423.0};
};

/// Gershgorin's bound on |eigenvalues| of symmetric matrices, packed lower [tri(order)][W].
template <int W>
Vec<W> gershgorin(const double* matrix, std::int64_t order) noexcept {
  using V = Vec<W>;
  V largest{};
  for (std::int64_t i = 0; i < order; ++i) {
    V row{};
    for (std::int64_t j = 0; j < order; ++j)
      row += abs(load<V>(matrix + (j <= i ? packed(i, j) : packed(j, i)) * W));
    largest = max(row, largest);
  }
  return largest;
}

template <class Layout>
class DormandPrinceStep {
 public:
  static constexpr int W = Layout::networks;
  static constexpr int order = 5;
  static constexpr bool needs_hessian = false;
  static constexpr double kReach = 3.0;
  static constexpr bool corrects = false;  ///< moves the new point by its own residual
  using V = Vec<W>;

  explicit DormandPrinceStep(std::int64_t parameters)
      : parameters_(parameters), gradients_(DormandPrince::stages * parameters * W),
        scratch_loss_(W) {}

  Mask<W> attempt(Evaluator<Layout>& evaluator, const double* y, const double* gradient,
                  const double*, V h, double* y_new, double* error) noexcept {
    const std::int64_t size = parameters_ * W;
    std::copy_n(gradient, size, gradients_.data());
    for (int i = 1; i < DormandPrince::stages; ++i) {
      for (std::int64_t p = 0; p < size; p += W) {
        V sum{};
        for (int j = 0; j < i; ++j)
          sum = fma(broadcast<V>(DormandPrince::a[i][j]), slope(j, p), sum);
        store(y_new + p, fma(-h, sum, load<V>(y + p)));
      }
      evaluator.evaluate(1, y_new, scratch_loss_.data(), gradients_.data() + i * size, nullptr);
    }
    for (std::int64_t p = 0; p < size; p += W) {
      V sum{};
      for (int j = 0; j < DormandPrince::stages; ++j)
        sum = fma(broadcast<V>(DormandPrince::error[j]), slope(j, p), sum);
      store(error + p, h * sum);
    }
    h_ = h;
    return Mask<W>{};
  }

  /// Loss and gradient at the new point: the last stage has them. Nothing is corrected.
  void evaluate_new(Evaluator<Layout>&, const double*, double*, double* loss, double* gradient,
                    double*, double*) noexcept {
    const std::int64_t size = parameters_ * W;
    store(loss, load<V>(scratch_loss_.data()));
    std::copy_n(gradients_.data() + (DormandPrince::stages - 1) * size, size, gradient);
  }

  double interpolate(const double* y, const double* y_new, std::int64_t p, int l,
                     double x) const noexcept {
    const auto k = [&](int j) { return -h_[l] * gradients_.data()[(j * parameters_ + p) * W + l]; };
    const double change = y_new[p * W + l] - y[p * W + l], bend = k(0) - change;
    double top = 0.0;
    for (int j = 0; j < DormandPrince::stages; ++j) top += DormandPrince::dense[j] * k(j);
    const double x1 = 1.0 - x;
    return y[p * W + l] + x * (change + x1 * (bend + x * (change - k(6) - bend + x1 * top)));
  }

  /// Longest stable step for the Hessian of each lane: kReach over Gershgorin's bound.
  static V longest_step(const double* hessian, std::int64_t order) noexcept {
    return kReach / gershgorin<W>(hessian, order);
  }

  static constexpr std::int64_t gradients_per_step = 6;

 private:
  FLOWSCAPE_INLINE V slope(int j, std::int64_t p) const noexcept {
    return load<V>(gradients_.data() + j * parameters_ * W + p);
  }
  std::int64_t parameters_;
  AlignedBuffer gradients_, scratch_loss_;
  V h_{};
};

}  // namespace flowscape
