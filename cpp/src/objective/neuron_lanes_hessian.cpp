// Wide networks: the Hessian from its tiles, in pieces of rows.
#include <algorithm>
#include <utility>

#include "flowscape/objective/components.hpp"
#include "flowscape/objective/neuron_lanes.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

/// out[k][l] = in[l][k].
void transpose_tile(const double* in, double* out) noexcept {
  for (int k = 0; k < kPanel; k += kLanes)
    for (int l = 0; l < kPanel; l += kLanes) {
      Native rows[kLanes];
      for (int i = 0; i < kLanes; ++i) rows[i] = load<Native>(in + (l + i) * kPanel + k);
      transpose(rows);
      for (int i = 0; i < kLanes; ++i) store(out + (k + i) * kPanel + l, rows[i]);
    }
}

/// The symmetric tile of a lower triangle.
void mirror_tile(const double* in, double* out) noexcept {
  for (int k = 0; k < kPanel; ++k)
    for (int l = 0; l < kPanel; ++l)
      out[k * kPanel + l] = in[std::max(k, l) * kPanel + std::min(k, l)];
}

/// out[l C + c] = in[c][l] for the 8 neurons of a panel.
void join_panel(const double* in, std::int64_t components, double* out) noexcept {
  with_count(components, [&]<int C>() {
    if constexpr (C >= 2) {
      for (int v = 0; v < kPanel; v += kLanes) {
        Native vectors[C];
        for (int c = 0; c < C; ++c) vectors[c] = load<Native>(in + c * kPanel + v);
        join_vectors(vectors, out + v * C);
      }
    } else {
      for (int l = 0; l < kPanel; ++l)
        for (std::int64_t c = 0; c < components; ++c)
          out[l * components + c] = in[c * kPanel + l];
    }
  });
}

}  // namespace

void NeuronKernel::write_hessian(HessianRows hessian) noexcept {
  const std::int64_t n = pairs_.panels();
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t l = 0; l < (hessian.packed_triangle ? k + 1 : n); ++l)
      write_tile(k, l, hessian);
  add_neuron_blocks(hessian);
  if (problem_.shape.output_bias) write_output_biases(hessian);
}

// The tiles seen from row panel k: entry [i][j] belongs to neuron i of panel k and j of panel l.
void NeuronKernel::orient(std::int64_t k, std::int64_t l) noexcept {
  const std::int64_t D = layout_.features, T = triangle(D);
  double* spare = oriented_.data();
  const auto symmetric = [&](const double* tile) -> const double* {
    if (k > l) return tile;
    k == l ? mirror_tile(tile, spare) : transpose_tile(tile, spare);
    return std::exchange(spare, spare + kPanelTile);
  };
  const std::int64_t high = std::max(k, l), low = std::min(k, l);
  const double** view = views_.data();
  *view++ = symmetric(pairs_.hh(high, low));
  for (std::int64_t j = 0; j < D; ++j) *view++ = pairs_.hs(j, k, l);
  for (std::int64_t j = 0; j < D; ++j) {
    transpose_tile(pairs_.hs(j, l, k), spare);
    *view++ = std::exchange(spare, spare + kPanelTile);
  }
  for (std::int64_t t = 0; t < T; ++t) *view++ = symmetric(pairs_.ss(t, high, low));
}

// Rows of the neurons of panel k, columns of those of panel l:
//   a_o a_u: [o = u] sum W h h     a_o w_j: a_lo sum W h_k s_l x_j
//   w_i w_j: a_k . a_l sum W s s x_i x_j
// without the terms of a neuron with itself.
void NeuronKernel::write_tile(std::int64_t k, std::int64_t l, HessianRows hessian) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features(), C = K + D;
  const std::int64_t first_row = k * kPanel, first_column = l * kPanel;
  const std::int64_t rows = std::min<std::int64_t>(kPanel, shape.width - first_row);
  const std::int64_t entries = C * std::min<std::int64_t>(kPanel, shape.width - first_column);
  orient(k, l);
  double *const segment = segment_.data(), *const joined = segment + C * kPanel;
  const auto piece = [&](std::int64_t p) {
    double* const place = hessian.row(p) + first_column * C;
    const std::int64_t size = std::min(entries, hessian.length(p) - first_column * C);
    if (size == C * kPanel) return join_panel(segment, C, place);
    join_panel(segment, C, joined);
    std::copy_n(joined, std::max<std::int64_t>(0, size), place);
  };
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t row = first_row + i;
    const double* const* const view = views_.data();
    const auto tile = [&](std::int64_t n, int v) { return load<Native>(view[n] + i * kPanel + v); };
    const auto put = [&](std::int64_t c, int v, Native value) {
      store(segment + c * kPanel + v, value);
    };
    for (std::int64_t o = 0; o < K; ++o) {
      for (int v = 0; v < kPanel; v += kLanes) {
        for (std::int64_t u = 0; u < K; ++u) put(u, v, o == u ? tile(0, v) : Native{});
        const Native a = load<Native>(weight(o) + first_column + v);
        for (std::int64_t j = 0; j < D; ++j) put(K + j, v, a * tile(1 + j, v));
      }
      piece(shape.outgoing(row) + o);
    }
    for (std::int64_t j = 0; j < D; ++j) {
      for (int v = 0; v < kPanel; v += kLanes) {
        Native product{};  // a_k . a_l
        for (std::int64_t o = 0; o < K; ++o) {
          const Native a = broadcast<Native>(weight(o)[row]);
          product = fma(a, load<Native>(weight(o) + first_column + v), product);
          put(o, v, a * tile(1 + D + j, v));
        }
        for (std::int64_t u = 0; u < D; ++u)
          put(K + u, v, product * tile(1 + 2 * D + packed(std::max(j, u), std::min(j, u)), v));
      }
      piece(shape.incoming(row) + j);
    }
  }
}

// The second derivatives of the residual, and weight decay.
void NeuronKernel::add_neuron_blocks(HessianRows hessian) const noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features();
  for (std::int64_t k = 0; k < shape.width; ++k) {
    const std::int64_t a = shape.outgoing(k), w = shape.incoming(k);
    for (std::int64_t j = 0; j < D; ++j) {
      double* const row = hessian.row(w + j);
      for (std::int64_t o = 0; o < K; ++o) {
        const std::int64_t n = K == 1 ? layout_.incoming + j : layout_.cross + o * D + j;
        row[a + o] += moment(n)[k];
        if (!hessian.packed_triangle) hessian.row(a + o)[w + j] += moment(n)[k];
      }
      for (std::int64_t i = 0; i < D; ++i) {
        if (w + i >= hessian.length(w + j)) break;
        const std::int64_t t = packed(std::max(i, j), std::min(i, j));
        const double curvature = moment(layout_.curvature + t)[k];
        row[w + i] += K == 1 ? weight(0)[k] * curvature : curvature;
      }
    }
    for (std::int64_t p = a; p < a + K + D && problem_.l2 != 0.0; ++p)
      hessian.row(p)[p] += problem_.l2;
  }
}

void NeuronKernel::write_output_biases(HessianRows hessian) const noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features();
  for (std::int64_t o = 0; o < K; ++o) {
    const std::int64_t c = shape.output_biases() + o;
    double* const row = hessian.row(c);
    const auto set = [&](std::int64_t p, double value) {
      row[p] = value;
      if (!hessian.packed_triangle) hessian.row(p)[c] = value;
    };
    for (std::int64_t k = 0; k < shape.width; ++k) {
      for (std::int64_t u = 0; u < K; ++u)
        set(shape.outgoing(k) + u, u == o ? moment(layout_.bias)[k] : 0.0);
      for (std::int64_t j = 0; j < D; ++j)
        set(shape.incoming(k) + j, weight(o)[k] * moment(layout_.bias + 1 + j)[k]);
    }
    for (std::int64_t u = 0; u <= o; ++u) set(shape.output_biases() + u, 0.0);
    const Native total = load<Native>(head_.data() + (1 + K) * kLanes);
    set(c, horizontal_sum(total) + problem_.l2);
  }
}

}  // namespace flowscape
