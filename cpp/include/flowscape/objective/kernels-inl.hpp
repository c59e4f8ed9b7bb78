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
  double* rows;      ///< [width][D][steps], s x_1, ..., s x_D (pair_products.hpp)
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

/// r = sum_k a_k h_k + c - y and W r of `count` steps from step i, one output.
template <class Layout, int count>
FLOWSCAPE_INLINE void residual_steps(const ProblemData& p, const double* theta, std::int64_t o,
                                     std::int64_t first, std::int64_t steps, std::int64_t i,
                                     const BlockScratch& b) noexcept {
  const auto y = Layout::targets(p, first);
  const auto weight = Layout::weights(p, first);
  const Native c = p.shape.output_bias ? Layout::parameter(theta, p.shape.output_biases() + o)
                                       : Native{};
  Native r[count];
  for (int u = 0; u < count; ++u) r[u] = c - y.get(i + u, o);
  for (std::int64_t k = 0; k < p.shape.width; ++k) {
    const Native a = Layout::parameter(theta, p.shape.outgoing(k) + o);
    for (int u = 0; u < count; ++u) r[u] = fma(a, at(b.h, k * steps + i + u), r[u]);
  }
  for (int u = 0; u < count; ++u) {
    put(b.residual, o * steps + i + u, r[u]);
    put(b.weighted, o * steps + i + u, weight.get(i + u, 0) * r[u]);
  }
}

template <class Layout>
void residuals(const ProblemData& p, const double* theta, std::int64_t first, std::int64_t steps,
               const BlockScratch& b) noexcept {
  constexpr int kUnroll = 8;  // independent chains: hides the latency of the multiply-add
  for (std::int64_t o = 0; o < p.shape.outputs; ++o) {
    std::int64_t i = 0;
    for (; i + kUnroll <= steps; i += kUnroll)
      residual_steps<Layout, kUnroll>(p, theta, o, first, steps, i, b);
    for (; i < steps; ++i) residual_steps<Layout, 1>(p, theta, o, first, steps, i, b);
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
template <class Layout>
FLOWSCAPE_INLINE void add_second(const ProblemData& p, std::int64_t first, std::int64_t steps,
                                 const double* u, double* out) noexcept {
  const auto x = Layout::features(p, first);
  for (std::int64_t j = 0; j < p.shape.features(); ++j)
    for (std::int64_t l = 0; l <= j; ++l) {
      Native sum = at(out, packed(j, l));
      for (std::int64_t i = 0; i < steps; ++i)
        sum = fma(at(u, i) * x.get(i, j), x.get(i, l), sum);
      put(out, packed(j, l), sum);
    }
}

/// row_i = u_i v_i.
FLOWSCAPE_INLINE void multiply(const double* u, const double* v, std::int64_t steps,
                               double* row) noexcept {
  for (std::int64_t i = 0; i < steps; ++i) put(row, i, at(u, i) * at(v, i));
}

/// One pass over `count` neurons: for each sum v h, sum u s x and, at order 2, sum u q x x^T.
///
/// u is e_k, the residual brought back to the neuron, v the weighted residual of the first output.
/// Neurons are `row` doubles apart in h, s, q and `stride` apart in the three outputs. Several at
/// a time share what is read of u, v and x.
template <class Layout, int D, bool curved, int count>
void add_neurons(const ProblemData& p, std::int64_t first, std::int64_t steps,
                                  const double* v, const double* u, const double* h,
                                  const double* s, const double* q, double* outgoing,
                                  double* incoming, double* curvature,
                                  std::int64_t stride) noexcept {
  constexpr int T = curved ? D * (D + 1) / 2 : 0;
  const std::int64_t row = steps * kLanes;
  const auto x = Layout::features(p, first);
  const auto xx = Layout::products(p, first);
  Native sum[count], line[count][D], square[count][T + 1];
#pragma GCC unroll 4
  for (int n = 0; n < count; ++n) {
    sum[n] = at(outgoing + n * stride, 0);
#pragma GCC unroll 4
    for (int j = 0; j < D; ++j) line[n][j] = at(incoming + n * stride, j);
#pragma GCC unroll 10
    for (int t = 0; t < T; ++t) square[n][t] = at(curvature + n * stride, t);
  }
  for (std::int64_t i = 0; i < steps; ++i) {
    const Native ui = at(u, i), vi = at(v, i);
    Native us[count], uq[count];
#pragma GCC unroll 4
    for (int n = 0; n < count; ++n) {
      sum[n] = fma(vi, at(h + n * row, i), sum[n]);
      us[n] = ui * at(s + n * row, i);
      if constexpr (curved) uq[n] = ui * at(q + n * row, i);
    }
#pragma GCC unroll 4
    for (int j = 0; j < D; ++j)
#pragma GCC unroll 4
      for (int n = 0; n < count; ++n) line[n][j] = fma(us[n], x.get(i, j), line[n][j]);
#pragma GCC unroll 10
    for (int t = 0; t < T; ++t)
#pragma GCC unroll 4
      for (int n = 0; n < count; ++n) square[n][t] = fma(uq[n], xx.get(i, t), square[n][t]);
  }
#pragma GCC unroll 4
  for (int n = 0; n < count; ++n) {
    put(outgoing + n * stride, 0, sum[n]);
#pragma GCC unroll 4
    for (int j = 0; j < D; ++j) put(incoming + n * stride, j, line[n][j]);
#pragma GCC unroll 10
    for (int t = 0; t < T; ++t) put(curvature + n * stride, t, square[n][t]);
  }
}

/// Neurons whose sums fit the registers together.
template <int D>
inline constexpr int kNeuronsAtOnce =
    kLanes < 8 ? 1 : std::clamp(24 / (1 + D + D * (D + 1) / 2), 1, 4);

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
    for (std::int64_t o = 0; o < K; ++o)
      add_sum(b.weighted + o * row, steps, moments + (1 + o) * kLanes);
    const auto weight = Layout::weights(p, first);
    Native total = at(moments, 1 + K);
    for (std::int64_t i = 0; i < steps; ++i) total += weight.get(i, 0);
    put(moments, 1 + K, total);
  }
  // With one output e_k is a_k W r; a_k is applied when assembled and the rest is shared.
  constexpr int group = kNeuronsAtOnce<std::max(D, 1)>;
  const std::int64_t in_groups = D > 0 && K == 1 ? shape.width / group * group : 0;
  if constexpr (D > 0)
    for (std::int64_t k = 0; k < in_groups; k += group) {
      double* const out = moments + layout.neuron(k) * kLanes;
      const auto add = order == 2 ? add_neurons<Layout, D, true, group>
                                  : add_neurons<Layout, D, false, group>;
      add(p, first, steps, b.weighted, b.weighted, b.h + k * row, b.s + k * row, b.q + k * row,
          out, out + layout.incoming * kLanes, out + layout.curvature * kLanes,
          layout.per_neuron * kLanes);
    }
  for (std::int64_t k = 0; k < shape.width; ++k) {
    double* const out = moments + layout.neuron(k) * kLanes;
    double *const incoming = out + layout.incoming * kLanes;
    double *const curvature = out + layout.curvature * kLanes;
    const double *const h = b.h + k * row, *const s = b.s + k * row, *const q = b.q + k * row;
    double* const scratch = b.z + k * row;  // pre-activations are no longer needed
    const double* back = b.weighted;
    if (K > 1) {
      for (std::int64_t i = 0; i < steps; ++i) put(b.back, i, Native{});
      for (std::int64_t o = 0; o < K; ++o) {
        const Native a = Layout::parameter(theta, shape.outgoing(k) + o);
        for (std::int64_t i = 0; i < steps; ++i)
          put(b.back, i, fma(a, at(b.weighted + o * row, i), at(b.back, i)));
      }
      back = b.back;
      for (std::int64_t o = 1; o < K; ++o)
        add_dot(b.weighted + o * row, h, steps, out + o * kLanes);
    }
    if constexpr (D > 0) {
      const auto add =
          order == 2 ? add_neurons<Layout, D, true, 1> : add_neurons<Layout, D, false, 1>;
      if (k >= in_groups)
        add(p, first, steps, b.weighted, back, h, s, q, out, incoming, curvature, 0);
    } else {
      add_dot(b.weighted, h, steps, out);
      if (order == 2) {
        multiply(back, q, steps, scratch);
        add_second<Layout>(p, first, steps, scratch, curvature);
      }
      multiply(back, s, steps, scratch);
      add_first<Layout, 0>(p, first, steps, scratch, incoming);
    }
    if (order < 2) continue;
    for (std::int64_t o = 0; o < K && K > 1; ++o) {
      multiply(b.weighted + o * row, s, steps, scratch);
      add_first<Layout, D>(p, first, steps, scratch,
                           out + (layout.cross + o * layout.features) * kLanes);
    }
    if (shape.output_bias) {
      double* const bias = out + layout.bias * kLanes;
      const auto weight = Layout::weights(p, first);
      for (std::int64_t i = 0; i < steps; ++i) put(scratch, i, weight.get(i, 0) * at(h, i));
      add_sum(scratch, steps, bias);
      for (std::int64_t i = 0; i < steps; ++i) put(scratch, i, weight.get(i, 0) * at(s, i));
      add_first<Layout, D>(p, first, steps, scratch, bias + kLanes);
    }
  }
}

}  // namespace flowscape
