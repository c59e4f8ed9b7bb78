// A step of Rodas5P for theta' = -gradient with the exact Hessian, and what follows it.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "flowscape/flow/rodas5p.hpp"
#include "flowscape/flow/symmetric_solver.hpp"
#include "flowscape/objective/evaluator.hpp"

namespace flowscape {

/// One trial step of every lane.
template <class Layout>
class RosenbrockStep {
 public:
  static constexpr int W = Layout::networks;
  static constexpr int order = 5;
  static constexpr bool needs_hessian = true;
  static constexpr bool corrects = true;  ///< moves the new point by its own residual
  using V = Vec<W>;

  explicit RosenbrockStep(std::int64_t parameters)
      : parameters_(parameters), solver_(parameters),
        stages_(Rodas5P::stages * parameters * W), work_(parameters * W), scratch_loss_(W) {}

  /// From y with its gradient and Hessian: y_new and the local error estimate, all [P][W].
  /// Returns the lanes whose matrix was not positive definite: the step is too long for them.
  Mask<W> attempt(Evaluator<Layout>& evaluator, const double* y, const double* gradient,
                  const double* hessian, V h, double* y_new, double* error) noexcept {
    const std::int64_t size = parameters_ * W;
    const V inverse_h = 1.0 / h;
    const Mask<W> failed = solver_.factor(hessian, (1.0 / Rodas5P::gamma) * inverse_h);
    compute_stages(evaluator, y, gradient, inverse_h, y_new,
                   std::make_integer_sequence<int, Rodas5P::stages>());
    // Stiffly accurate: y_new is the argument of the last stage plus that stage.
    for (std::int64_t p = 0; p < size; p += W) {
      const V last = stage(Rodas5P::stages - 1, p);
      store(y_new + p, load<V>(y_new + p) + last);
      store(error + p, last);
    }
    h_ = h;
    return failed;
  }

  /// Loss and all derivatives at the new point, after its residual has been taken out.
  ///
  /// residual = (H + I/(gamma h))^{-1} (F(y_new) - p'(t+h)) with p the continuous extension: a
  /// point off the slow manifold by e in a stiff direction has residual -e. Its stiff part,
  /// (H + I/(gamma h))^{-1} H residual, is one Newton step back; in the other directions it is
  /// smaller by gamma h H, no larger than the local error of the method.
  ///
  /// Evaluated is the point before that correction c, |c| below the tolerance. At the new point
  /// the Hessian is taken as it is, off by O(c); gradient and loss follow from the quadratic
  /// model, off by O(c^2) and O(c^3). See `modelled`.
  void evaluate_new(Evaluator<Layout>& evaluator, const double* y, double* y_new, double* loss,
                    double* gradient, double* hessian, double* correction) noexcept {
    const std::int64_t size = parameters_ * W;
    evaluator.evaluate(2, y_new, loss, gradient, hessian);
    double* const residual = work_.data();
    const V inverse_h = 1.0 / h_, inverse_gh = (1.0 / Rodas5P::gamma) * inverse_h;
    for (std::int64_t p = 0; p < size; p += W) {
      V curve{};
#pragma GCC unroll 8
      for (int j = 0; j < Rodas5P::stages; ++j)
        curve = fma(broadcast<V>(end_slope(j)), stage(j, p), curve);
      const V slope = (load<V>(y_new + p) - load<V>(y + p) - curve) * inverse_h;
      store(residual + p, -load<V>(gradient + p) - slope);
    }
    solver_.solve(residual);
    for (std::int64_t p = 0; p < size; p += W)
      store(correction + p, load<V>(residual + p) * inverse_gh);
    solver_.solve(correction);
    for (std::int64_t p = 0; p < size; p += W) {
      const V c = load<V>(residual + p) - load<V>(correction + p);
      store(correction + p, c);
      store(y_new + p, load<V>(y_new + p) + c);
    }
    double* const change = work_.data();  // H c
    solver_.multiply(hessian, correction, change);
    V energy{};  // g.c + c.Hc/2
    for (std::int64_t p = 0; p < size; p += W) {
      const V g = load<V>(gradient + p), hc = load<V>(change + p);
      energy = fma(load<V>(correction + p), fma(broadcast<V>(0.5), hc, g), energy);
      store(gradient + p, g + hc);
    }
    store(loss, load<V>(loss) + energy);
  }

  /// Lanes whose loss and gradient at the present point are the model's: the integrator evaluates
  /// the point before a run may end there.
  static Mask<W> modelled() noexcept { return ~Mask<W>{}; }
  static void evaluated(Mask<W>) noexcept {}

  /// Component p of lane l at fraction x of the last step.
  double interpolate(const double* y, const double* y_new, std::int64_t p, int l,
                     double x) const noexcept {
    double bend = 0.0;
    for (int k = kDense - 1; k >= 0; --k) {
      double e = 0.0;
      for (int j = 0; j < Rodas5P::stages; ++j)
        e += Rodas5P::dense[k][j] * stages_.data()[(j * parameters_ + p) * W + l];
      bend = e + x * bend;
    }
    return (1.0 - x) * y[p * W + l] + x * (y_new[p * W + l] + (1.0 - x) * bend);
  }

  static constexpr std::int64_t gradients_per_step = Rodas5P::stages - 1;

 private:
  static constexpr int kDense = std::extent_v<decltype(Rodas5P::dense)>;

  /// Weight of U_j in y_new - y - h p'(t + h).
  static constexpr double end_slope(int j) noexcept {
    double sum = 0.0;
    for (int k = 0; k < kDense; ++k) sum += Rodas5P::dense[k][j];
    return sum;
  }

  template <int... i>
  FLOWSCAPE_INLINE void compute_stages(Evaluator<Layout>& evaluator, const double* y,
                                       const double* gradient, V inverse_h, double* argument,
                                       std::integer_sequence<int, i...>) noexcept {
    (compute_stage<i>(evaluator, y, gradient, inverse_h, argument), ...);
  }

  /// U_i, with the sums over earlier stages unrolled.
  template <int i>
  FLOWSCAPE_INLINE void compute_stage(Evaluator<Layout>& evaluator, const double* y,
                                      const double* gradient, V inverse_h,
                                      double* argument) noexcept {
    const std::int64_t size = parameters_ * W;
    double* const u = stages_.data() + i * size;
    const double* slope = gradient;
    if constexpr (i > 0) {
      for (std::int64_t p = 0; p < size; p += W) {
        V z = load<V>((i >= Rodas5P::chained ? argument : y) + p);
#pragma GCC unroll 8
        for (int j = i >= Rodas5P::chained ? i - 1 : 0; j < i; ++j)
          z = fma(broadcast<V>(Rodas5P::a[i][j]), stage(j, p), z);
        store(argument + p, z);
      }
      evaluator.evaluate(1, argument, scratch_loss_.data(), work_.data(), nullptr);
      slope = work_.data();
    }
    for (std::int64_t p = 0; p < size; p += W) {
      V sum{};
#pragma GCC unroll 8
      for (int j = 0; j < i; ++j) sum = fma(broadcast<V>(Rodas5P::c[i][j]), stage(j, p), sum);
      store(u + p, fma(sum, inverse_h, -load<V>(slope + p)));
    }
    solver_.solve(u);
  }

  FLOWSCAPE_INLINE V stage(int j, std::int64_t p) const noexcept {
    return load<V>(stages_.data() + j * parameters_ * W + p);
  }

  std::int64_t parameters_;
  SymmetricSolver<W> solver_;
  AlignedBuffer stages_, work_, scratch_loss_;
  V h_{};
};

}  // namespace flowscape
