#include "flowscape/objective/small_networks.hpp"

#include <utility>

#include "flowscape/objective/layouts.hpp"

namespace flowscape {
namespace {

constexpr int kMaxWidth = 4;
constexpr int kMaxFeatures = 3;

/// One block of kLanes networks with M neurons of D features.
template <int M, int D>
struct Small {
  static constexpr int T = D * (D + 1) / 2;
  static constexpr int kNeuron = 1 + D;  // parameters of a neuron

  const ProblemData& problem;
  const double* theta;
  const SmallActivations& values;
  double* residual;

  FLOWSCAPE_INLINE Native outgoing(int k) const noexcept {
    return load<Native>(theta + k * kNeuron * kLanes);
  }
  FLOWSCAPE_INLINE Native value(const double* rows, int k, std::int64_t i) const noexcept {
    return load<Native>(rows + (k * problem.samples + i) * kLanes);
  }
  FLOWSCAPE_INLINE Native residual_at(std::int64_t i, Native (&h)[M]) const noexcept {
    Native r = -broadcast<Native>(problem.row_targets.data()[i]);
#pragma GCC unroll 4
    for (int k = 0; k < M; ++k) {
      h[k] = value(values.h, k, i);
      r = fma(outgoing(k), h[k], r);
    }
    return r;
  }

  /// sum r h_k and sum r s_k x of one neuron.
  struct First {
    Native outgoing{}, incoming[D]{};
    FLOWSCAPE_INLINE void add(Native r, Native h, Native s, const double* x) noexcept {
      outgoing = fma(r, h, outgoing);
      const Native rs = r * s;
#pragma GCC unroll 3
      for (int j = 0; j < D; ++j) incoming[j] = fma(rs, broadcast<Native>(x[j]), incoming[j]);
    }
  };

  FLOWSCAPE_INLINE void put_gradient(int k, const First& sums, double weight,
                                     double* gradient) const noexcept {
    double* const out = gradient + k * kNeuron * kLanes;
    store(out, weight * sums.outgoing);
    const Native wa = weight * outgoing(k);
#pragma GCC unroll 3
    for (int j = 0; j < D; ++j) store(out + (1 + j) * kLanes, wa * sums.incoming[j]);
  }

  template <int order>
  FLOWSCAPE_INLINE void first_order(double* loss, double* gradient) const noexcept {
    const double weight = problem.row_weights.data()[0];
    const double* x = problem.row_features.data();
    Native square{};
    First sums[M];
    for (std::int64_t i = 0; i < problem.samples; ++i, x += D) {
      Native h[M];
      const Native r = residual_at(i, h);
      square = fma(r, r, square);
      if constexpr (order == 1) {
#pragma GCC unroll 4
        for (int k = 0; k < M; ++k) sums[k].add(r, h[k], value(values.s, k, i), x);
      }
      if constexpr (order == 2) store(residual + i * kLanes, r);
    }
    store(loss, (0.5 * weight) * square);
    if constexpr (order == 1)
#pragma GCC unroll 4
      for (int k = 0; k < M; ++k) put_gradient(k, sums[k], weight, gradient);
  }

  FLOWSCAPE_INLINE static void set(double* hessian, int i, int j, Native v) noexcept {
    store(hessian + packed(i, j) * kLanes, v);
  }

  /// Gradient and diagonal block of neuron k: Gauss-Newton part and curvature of the residual.
  template <int k>
  FLOWSCAPE_INLINE void own_block(double* gradient, double* hessian) const noexcept {
    const double weight = problem.row_weights.data()[0];
    const double *x = problem.row_features.data(), *xx = problem.row_products.data();
    First first;
    Native curvature[T]{}, hh{}, hs[D]{}, ss[T]{};
    for (std::int64_t i = 0; i < problem.samples; ++i, x += D, xx += T) {
      const Native r = load<Native>(residual + i * kLanes);
      const Native h = value(values.h, k, i), s = value(values.s, k, i);
      first.add(r, h, s, x);
      const Native rq = r * value(values.q, k, i), h_s = h * s, s_s = s * s;
      hh = fma(h, h, hh);
#pragma GCC unroll 3
      for (int j = 0; j < D; ++j) hs[j] = fma(h_s, broadcast<Native>(x[j]), hs[j]);
#pragma GCC unroll 6
      for (int t = 0; t < T; ++t) {
        const Native product = broadcast<Native>(xx[t]);
        curvature[t] = fma(rq, product, curvature[t]);
        ss[t] = fma(s_s, product, ss[t]);
      }
    }
    put_gradient(k, first, weight, gradient);
    const Native a = outgoing(k), wa = weight * a;
    constexpr int p = k * kNeuron;
    set(hessian, p, p, weight * hh);
#pragma GCC unroll 3
    for (int j = 0; j < D; ++j)
      set(hessian, p + 1 + j, p, fma(wa, hs[j], weight * first.incoming[j]));
#pragma GCC unroll 3
    for (int j = 0; j < D; ++j)
#pragma GCC unroll 3
      for (int l = 0; l <= j; ++l) {
        const int t = static_cast<int>(packed(j, l));
        set(hessian, p + 1 + j, p + 1 + l, wa * fma(a, ss[t], curvature[t]));
      }
  }

  /// The block between neurons k > l: the Gauss-Newton part alone.
  template <int k, int l>
  FLOWSCAPE_INLINE void pair_block(double* hessian) const noexcept {
    const double weight = problem.row_weights.data()[0];
    const double *x = problem.row_features.data(), *xx = problem.row_products.data();
    Native hh{}, hs[D]{}, sh[D]{}, ss[T]{};
    for (std::int64_t i = 0; i < problem.samples; ++i, x += D, xx += T) {
      const Native hk = value(values.h, k, i), sk = value(values.s, k, i);
      const Native hl = value(values.h, l, i), sl = value(values.s, l, i);
      const Native h_s = hk * sl, s_h = sk * hl, s_s = sk * sl;
      hh = fma(hk, hl, hh);
#pragma GCC unroll 3
      for (int j = 0; j < D; ++j) {
        hs[j] = fma(h_s, broadcast<Native>(x[j]), hs[j]);
        sh[j] = fma(s_h, broadcast<Native>(x[j]), sh[j]);
      }
#pragma GCC unroll 6
      for (int t = 0; t < T; ++t) ss[t] = fma(s_s, broadcast<Native>(xx[t]), ss[t]);
    }
    const Native wk = weight * outgoing(k), wl = weight * outgoing(l), w = wk * outgoing(l);
    constexpr int p = k * kNeuron, q = l * kNeuron;
    set(hessian, p, q, weight * hh);
#pragma GCC unroll 3
    for (int j = 0; j < D; ++j) {
      set(hessian, p, q + 1 + j, wl * hs[j]);
      set(hessian, p + 1 + j, q, wk * sh[j]);
#pragma GCC unroll 3
      for (int i = 0; i < D; ++i)
        set(hessian, p + 1 + j, q + 1 + i,
            w * ss[i <= j ? packed(j, i) : packed(i, j)]);
    }
  }

  template <int... k>
  FLOWSCAPE_INLINE void second_order(double* gradient, double* hessian,
                                     std::integer_sequence<int, k...>) const noexcept {
    (own_block<k>(gradient, hessian), ...);
    (pairs_of<k>(hessian, std::make_integer_sequence<int, k>()), ...);
  }
  template <int k, int... l>
  FLOWSCAPE_INLINE void pairs_of([[maybe_unused]] double* hessian,
                                 std::integer_sequence<int, l...>) const noexcept {
    (pair_block<k, l>(hessian), ...);
  }
};

template <int M, int D, int order>
void evaluate_small(const ProblemData& problem, const double* theta,
                    const SmallActivations& values, double* residual, double* loss,
                    double* gradient, double* hessian) noexcept {
  const Small<M, D> block{problem, theta, values, residual};
  block.template first_order<order>(loss, gradient);
  if constexpr (order == 2)
    block.second_order(gradient, hessian, std::make_integer_sequence<int, M>());
}

template <int M, int D>
SmallKernel of_order(int order) noexcept {
  constexpr SmallKernel kernels[] = {evaluate_small<M, D, 0>, evaluate_small<M, D, 1>,
                                     evaluate_small<M, D, 2>};
  return kernels[order];
}

template <int M>
SmallKernel of_features(std::int64_t features, int order) noexcept {
  switch (features) {
    case 1: return of_order<M, 1>(order);
    case 2: return of_order<M, 2>(order);
    default: return of_order<M, 3>(order);
  }
}

}  // namespace

SmallKernel small_kernel(const ProblemData& problem, int order) noexcept {
  const Shape& shape = problem.shape;
  if (shape.width > kMaxWidth || shape.features() > kMaxFeatures || shape.outputs > 1 ||
      shape.output_bias || !problem.equal_weights)
    return nullptr;
  switch (shape.width) {
    case 1: return of_features<1>(shape.features(), order);
    case 2: return of_features<2>(shape.features(), order);
    case 3: return of_features<3>(shape.features(), order);
    default: return of_features<4>(shape.features(), order);
  }
}

}  // namespace flowscape
