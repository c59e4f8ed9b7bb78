// Rodas4 (Hairer and Wanner, Solving ODEs II, section IV.7): a stiffly accurate, L-stable
// Rosenbrock method of order 4 with an embedded solution of order 3, for theta' = -gradient.
//
// With the exact Hessian H, W = H + I/(gamma h) and stages
//   W U_i = F(y + sum_j a_ij U_j) + sum_j (c_ij / h) U_j,
// the new point is y + sum m_i U_i. The last stage U_6 is the difference to the embedded solution.
#pragma once

#include <cstdint>

#include "flowscape/flow/symmetric_solver.hpp"
#include "flowscape/objective/evaluator.hpp"

namespace flowscape {

struct Rodas4 {
  static constexpr int stages = 6;
  static constexpr double gamma = 0.25;
  static constexpr double a[6][5] = {
      {},
      {1.544000000000000},
      {0.9466785280815826, 0.2557011698983284},
      {3.314825187068521, 2.896124015972201, 0.9986419139977817},
      {1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950},
      {1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0}};
  static constexpr double c[6][5] = {
      {},
      {-5.668800000000000},
      {-2.430093356833875, -0.2063599157091915},
      {-0.1073529058151375, -9.594562251023355, -20.47028614809616},
      {7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160},
      {8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136,
       -6.058818238834054}};
  // Continuous extension of order 3:
  //   y(t + x h) = (1-x) y + x (y_new + (1-x) (e + x f)),  e = sum dense[0] U, f = sum dense[1] U.
  static constexpr double dense[2][5] = {
      {10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823,
       1.025137723295662},
      {-0.6762803392806898, 6.087714651680015, 16.43084320892478, 24.76722511418386,
       -6.594389125716872}};
};

/// One trial step of every lane.
template <class Layout>
class RosenbrockStep {
 public:
  static constexpr int W = Layout::networks;
  static constexpr int order = 4;
  static constexpr bool needs_hessian = true;
  static constexpr bool corrects = true;  ///< moves the new point by its own residual
  using V = Vec<W>;

  explicit RosenbrockStep(std::int64_t parameters)
      : parameters_(parameters), solver_(parameters),
        stages_(Rodas4::stages * parameters * W), work_(parameters * W), scratch_loss_(W) {}

  /// From y with its gradient and Hessian: y_new and the local error estimate, all [P][W].
  /// Returns the lanes whose matrix was not positive definite: the step is too long for them.
  Mask<W> attempt(Evaluator<Layout>& evaluator, const double* y, const double* gradient,
                  const double* hessian, V h, double* y_new, double* error) noexcept {
    const std::int64_t size = parameters_ * W;
    const V inverse_h = 1.0 / h;
    const Mask<W> failed = solver_.factor(hessian, (1.0 / Rodas4::gamma) * inverse_h);
    compute_stage<0>(evaluator, y, gradient, inverse_h, y_new);
    compute_stage<1>(evaluator, y, gradient, inverse_h, y_new);
    compute_stage<2>(evaluator, y, gradient, inverse_h, y_new);
    compute_stage<3>(evaluator, y, gradient, inverse_h, y_new);
    compute_stage<4>(evaluator, y, gradient, inverse_h, y_new);
    compute_stage<5>(evaluator, y, gradient, inverse_h, y_new);
    // Stiffly accurate: y_new is the argument of the last stage plus that stage.
    for (std::int64_t p = 0; p < size; p += W) {
      const V last = stage(Rodas4::stages - 1, p);
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
    const V inverse_h = 1.0 / h_, inverse_gh = (1.0 / Rodas4::gamma) * inverse_h;
    for (std::int64_t p = 0; p < size; p += W) {
      V curve{};
#pragma GCC unroll 8
      for (int j = 0; j < 5; ++j)
        curve = fma(broadcast<V>(Rodas4::dense[0][j] + Rodas4::dense[1][j]), stage(j, p), curve);
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
    double e = 0.0, f = 0.0;
    for (int j = 0; j < 5; ++j) {
      const double u = stages_.data()[(j * parameters_ + p) * W + l];
      e += Rodas4::dense[0][j] * u;
      f += Rodas4::dense[1][j] * u;
    }
    return (1.0 - x) * y[p * W + l] + x * (y_new[p * W + l] + (1.0 - x) * (e + x * f));
  }

  static constexpr std::int64_t gradients_per_step = 5;

 private:
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
        // The argument of the last stage is the one before plus that stage.
        V z = load<V>((i == 5 ? argument : y) + p);
#pragma GCC unroll 8
        for (int j = i == 5 ? 4 : 0; j < i; ++j)
          z = fma(broadcast<V>(Rodas4::a[i][j]), stage(j, p), z);
        store(argument + p, z);
      }
      evaluator.evaluate(1, argument, scratch_loss_.data(), work_.data(), nullptr);
      slope = work_.data();
    }
    for (std::int64_t p = 0; p < size; p += W) {
      V sum{};
#pragma GCC unroll 8
      for (int j = 0; j < i; ++j) sum = fma(broadcast<V>(Rodas4::c[i][j]), stage(j, p), sum);
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
