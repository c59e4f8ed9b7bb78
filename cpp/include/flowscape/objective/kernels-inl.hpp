// Loops over samples: pre-activations, residuals and the moments of moments.hpp.
//
// Layout says what a lane is (layouts.hpp); D is the number of features, 0 for "any".
// Arrays are [neuron][step] of vectors. No allocation, no exception, no branch on data.
#pragma once

#include "flowscape/objective/layouts.hpp"
#include "flowscape/objective/moments.hpp"

namespace flowscape {

/// Scratch of one block, vectors of kLanes doubles, all [width][steps] unless said.
struct BlockScratch {
  double* z;         ///< pre-activations
  double* h;         ///< activation
  double* s;         ///< first derivative
  double* q;         ///< second derivative
  double* hw;        ///< W h
  double* sw;        ///< W s
  double* residual;  ///< [outputs][steps], r
  double* weighted;  ///< [outputs][steps], W r
  double* back;      ///< [steps], e_k of the neuron at hand, or any product of two rows
};

FLOWSCAPE_INLINE Native at(const double* row, std::int64_t i) noexcept {
  return load<Native>(row + i * kLanes);
}
FLOWSCAPE_INLINE void put(double* row, std::int64_t i, Native v) noexcept {
  store(row + i * kLanes, v);
}
FLOWSCAPE_INLINE void add_to(double* row, std::int64_t i, Native v) noexcept {
  put(row, i, at(row, i) + v);
}

template <class Layout, int D>
void affine(const ProblemData& p, const double* theta, std::int64_t first, std::int64_t steps,
            double* z) noexcept {
  const auto x = Layout::features(p, first);
  for (std::int64_t k = 0; k < p.shape.width; ++k, z += steps * kLanes) {
    const std::int64_t base = p.shape.incoming(k);
    if constexpr (D > 0) {
      Native w[D];
      for (int j = 0; j < D; ++j) w[j] = Layout::parameter(theta, base + j);
      for (std::int64_t i = 0; i < steps; ++i) {
        Native sum = w[D - 1] * x.get(i, D - 1);
        for (int j = D - 2; j >= 0; --j) sum = fma(w[j], x.get(i, j), sum);
        put(z, i, sum);
      }
    } else {
      const std::int64_t last = p.shape.features() - 1;
      const Native w = Layout::parameter(theta, base + last);
      for (std::int64_t i = 0; i < steps; ++i) put(z, i, w * x.get(i, last));
      for (std::int64_t j = last - 1; j >= 0; --j) {
        const Native wj = Layout::parameter(theta, base + j);
        for (std::int64_t i = 0; i < steps; ++i) put(z, i, fma(wj, x.get(i, j), at(z, i)));
      }
    }
  }
}

/// r = sum_k a_k h_k + c - y, and W r.
template <class Layout>
void residuals(const ProblemData& p, const double* theta, std::int64_t first, std::int64_t steps,
               const BlockScratch& b) noexcept {
  const auto y = Layout::targets(p, first);
  const auto weight = Layout::weights(p, first);
  for (std::int64_t o = 0; o < p.shape.outputs; ++o) {
    double* const r = b.residual + o * steps * kLanes;
    double* const wr = b.weighted + o * steps * kLanes;
    const Native c = p.shape.output_bias ? Layout::parameter(theta, p.shape.output_biases() + o)
                                         : Native{};
    for (std::int64_t i = 0; i < steps; ++i) put(r, i, c - y.get(i, o));
    for (std::int64_t k = 0; k < p.shape.width; ++k) {
      const Native a = Layout::parameter(theta, p.shape.outgoing(k) + o);
      const double* const h = b.h + k * steps * kLanes;
      for (std::int64_t i = 0; i < steps; ++i) put(r, i, fma(a, at(h, i), at(r, i)));
    }
    for (std::int64_t i = 0; i < steps; ++i) put(wr, i, weight.get(i, 0) * at(r, i));
  }
}

/// out[0] += sum_i u_i v_i.
FLOWSCAPE_INLINE void add_dot(const double* u, const double* v, std::int64_t steps,
                              double* out) noexcept {
  Native sum = load<Native>(out);
  for (std::int64_t i = 0; i < steps; ++i) sum = fma(at(u, i), at(v, i), sum);
  store(out, sum);
}

/// out[0] += sum_i u_i.
FLOWSCAPE_INLINE void add_sum(const double* u, std::int64_t steps, double* out) noexcept {
  Native sum = load<Native>(out);
  for (std::int64_t i = 0; i < steps; ++i) sum += at(u, i);
  store(out, sum);
}

/// out[j] += sum_i u_i x_ij for all features j.
template <class Layout, int D>
FLOWSCAPE_INLINE void add_first(const ProblemData& p, std::int64_t first, std::int64_t steps,
                                const double* u, double* out) noexcept {
  const auto x = Layout::features(p, first);
  if constexpr (D > 0) {
    Native sum[D];
    for (int j = 0; j < D; ++j) sum[j] = at(out, j);
    for (std::int64_t i = 0; i < steps; ++i) {
      const Native ui = at(u, i);
      for (int j = 0; j < D; ++j) sum[j] = fma(ui, x.get(i, j), sum[j]);
    }
    for (int j = 0; j < D; ++j) put(out, j, sum[j]);
  } else {
    for (std::int64_t j = 0; j < p.shape.features(); ++j) {
      Native sum = at(out, j);
      for (std::int64_t i = 0; i < steps; ++i) sum = fma(at(u, i), x.get(i, j), sum);
      put(out, j, sum);
    }
  }
}

/// out[j, l] += sum_i u_i x_ij x_il for l <= j.
template <class Layout, int D>
FLOWSCAPE_INLINE void add_second(const ProblemData& p, std::int64_t first, std::int64_t steps,
                                 const double* u, double* out) noexcept {
  if constexpr (D > 0) {
    constexpr int T = D * (D + 1) / 2;
    const auto xx = Layout::products(p, first);
    Native sum[T];
    for (int t = 0; t < T; ++t) sum[t] = at(out, t);
    for (std::int64_t i = 0; i < steps; ++i) {
      const Native ui = at(u, i);
      for (int t = 0; t < T; ++t) sum[t] = fma(ui, xx.get(i, t), sum[t]);
    }
    for (int t = 0; t < T; ++t) put(out, t, sum[t]);
  } else {
    const auto x = Layout::features(p, first);
    for (std::int64_t j = 0; j < p.shape.features(); ++j)
      for (std::int64_t l = 0; l <= j; ++l) {
        Native sum = at(out, packed(j, l));
        for (std::int64_t i = 0; i < steps; ++i)
          sum = fma(at(u, i) * x.get(i, j), x.get(i, l), sum);
        put(out, packed(j, l), sum);
      }
  }
}

/// row_i = u_i v_i.
FLOWSCAPE_INLINE void multiply(const double* u, const double* v, std::int64_t steps,
                               double* row) noexcept {
  for (std::int64_t i = 0; i < steps; ++i) put(row, i, at(u, i) * at(v, i));
}

/// Head and neuron moments of one block, up to derivative `order`.
template <class Layout, int D>
void add_neuron_moments(const ProblemData& p, const double* theta, int order, std::int64_t first,
                        std::int64_t steps, const BlockScratch& b, const MomentLayout& layout,
                        double* moments) noexcept {
  const Shape& shape = p.shape;
  const std::int64_t row = steps * kLanes, K = shape.outputs;
  for (std::int64_t o = 0; o < K; ++o)
    add_dot(b.weighted + o * row, b.residual + o * row, steps, moments);
  if (order == 0) return;
  if (shape.output_bias) {
    for (std::int64_t o = 0; o < K; ++o) add_sum(b.weighted + o * row, steps, moments + (1 + o) * kLanes);
    const auto weight = Layout::weights(p, first);
    Native total = at(moments, 1 + K);
    for (std::int64_t i = 0; i < steps; ++i) total += weight.get(i, 0);
    put(moments, 1 + K, total);
  }
  for (std::int64_t k = 0; k < shape.width; ++k) {
    double* const out = moments + layout.neuron(k) * kLanes;
    const double *const h = b.h + k * row, *const s = b.s + k * row;
    for (std::int64_t o = 0; o < K; ++o)
      add_dot(b.weighted + o * row, h, steps, out + o * kLanes);
    const double* back = b.weighted;  // one output: a_k is applied when assembled
    if (K > 1) {
      for (std::int64_t i = 0; i < steps; ++i) put(b.back, i, Native{});
      for (std::int64_t o = 0; o < K; ++o) {
        const Native a = Layout::parameter(theta, shape.outgoing(k) + o);
        for (std::int64_t i = 0; i < steps; ++i)
          put(b.back, i, fma(a, at(b.weighted + o * row, i), at(b.back, i)));
      }
      back = b.back;
    }
    double* const z = b.z + k * row;  // pre-activations are no longer needed: scratch
    if (order == 2) {
      multiply(back, b.q + k * row, steps, z);
      add_second<Layout, D>(p, first, steps, z, out + layout.curvature * kLanes);
    }
    multiply(back, s, steps, z);
    add_first<Layout, D>(p, first, steps, z, out + layout.incoming * kLanes);
    if (order < 2) continue;
    for (std::int64_t o = 0; o < K && K > 1; ++o) {
      multiply(b.weighted + o * row, s, steps, z);
      add_first<Layout, D>(p, first, steps, z, out + (layout.cross + o * layout.features) * kLanes);
    }
    if (shape.output_bias) {
      double* const bias = out + layout.bias * kLanes;
      add_sum(b.hw + k * row, steps, bias);
      add_first<Layout, D>(p, first, steps, b.sw + k * row, bias + kLanes);
    }
  }
}

/// W h and W s, the weighted sides of the pair products.
template <class Layout>
void weight_rows(const ProblemData& p, std::int64_t first, std::int64_t steps,
                 const BlockScratch& b) noexcept {
  const auto weight = Layout::weights(p, first);
  for (std::int64_t k = 0; k < p.shape.width; ++k)
    for (std::int64_t i = 0; i < steps; ++i) {
      const std::int64_t n = k * steps + i;
      put(b.hw, n, weight.get(i, 0) * at(b.h, n));
      put(b.sw, n, weight.get(i, 0) * at(b.s, n));
    }
}

/// Pair moments of one block: the Gauss-Newton part, 1 + 2D + D(D+1)/2 sums for each l <= k.
template <class Layout, int D>
void add_pair_moments(const ProblemData& p, std::int64_t first, std::int64_t steps,
                      const BlockScratch& b, const MomentLayout& layout, double* moments) noexcept {
  const std::int64_t row = steps * kLanes;
  for (std::int64_t k = 0; k < p.shape.width; ++k)
    for (std::int64_t l = 0; l <= k; ++l) {
      double* const out = moments + layout.pair(k, l) * kLanes;
      const double *const hk = b.hw + k * row, *const sk = b.sw + k * row;
      const double *const hl = b.h + l * row, *const sl = b.s + l * row;
      if constexpr (D > 0) {
        constexpr int T = D * (D + 1) / 2;
        const auto x = Layout::features(p, first);
        const auto xx = Layout::products(p, first);
        Native hh = at(out, 0), hs[D], sh[D], ss[T];
        for (int j = 0; j < D; ++j) hs[j] = at(out, 1 + j), sh[j] = at(out, 1 + D + j);
        for (int t = 0; t < T; ++t) ss[t] = at(out, 1 + 2 * D + t);
        for (std::int64_t i = 0; i < steps; ++i) {
          const Native a = at(hk, i), c = at(sk, i), e = at(hl, i), g = at(sl, i);
          const Native ag = a * g, ce = c * e, cg = c * g;
          hh = fma(a, e, hh);
          for (int j = 0; j < D; ++j) {
            hs[j] = fma(ag, x.get(i, j), hs[j]);
            sh[j] = fma(ce, x.get(i, j), sh[j]);
          }
          for (int t = 0; t < T; ++t) ss[t] = fma(cg, xx.get(i, t), ss[t]);
        }
        put(out, 0, hh);
        for (int j = 0; j < D; ++j) put(out, 1 + j, hs[j]), put(out, 1 + D + j, sh[j]);
        for (int t = 0; t < T; ++t) put(out, 1 + 2 * D + t, ss[t]);
      } else {
        const std::int64_t F = p.shape.features();
        add_dot(hk, hl, steps, out);
        multiply(hk, sl, steps, b.back);
        add_first<Layout, 0>(p, first, steps, b.back, out + kLanes);
        multiply(sk, hl, steps, b.back);
        add_first<Layout, 0>(p, first, steps, b.back, out + (1 + F) * kLanes);
        multiply(sk, sl, steps, b.back);
        add_second<Layout, 0>(p, first, steps, b.back, out + (1 + 2 * F) * kLanes);
      }
    }
}

}  // namespace flowscape
