// Wide networks: panels for the products of pairs, and the Hessian, row after row, from its tiles.
//
// Entries between neurons k and l, without the terms of a neuron with itself:
//   a_o a_u: [o = u] sum W h h     a_o w_j: a_lo sum W h_k s_l x_j
//   w_i w_j: a_k . a_l sum W s s x_i x_j
#include <algorithm>
#include <utility>

#include "flowscape/objective/components.hpp"
#include "flowscape/objective/neuron_lanes.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {
namespace {

/// sqrt(W) h and sqrt(W) s x_j of a vector of neurons into panels `stride` apart, 0 outside `real`.
template <int D>
FLOWSCAPE_INLINE void pack_columns(std::int64_t features, std::int64_t count, const double* roots,
                                   const double* x, const double* h, const double* s,
                                   std::int64_t width, MaskOf<Native> real, double* out,
                                   std::int64_t stride) noexcept {
  const std::int64_t size = D > 0 ? D : features;
  for (std::int64_t i = 0; i < count; ++i, x += size, h += width, s += width, out += kPanel) {
    const Native root = select<Native>(real, broadcast<Native>(roots[i]), Native{});
    store(out, root * load_unaligned<Native>(h));
    const Native slope = root * load_unaligned<Native>(s);
    for (std::int64_t j = 0; j < size; ++j) store(out + (1 + j) * stride, slope * x[j]);
  }
}

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

/// Components of a vector of neurons, joined to neuron-major order: in registers if K and D are
/// known, through `segment` otherwise.
template <int K, int D>
struct Piece {
  static constexpr int C = K + D;
  double* segment;
  Native in[C];
  FLOWSCAPE_INLINE void put(std::int64_t c, int, Native value) { in[c] = value; }
  FLOWSCAPE_INLINE void join_vector(double* out, int v) { join_vectors(in, out + v * C); }
  FLOWSCAPE_INLINE void join_panel(double*, std::int64_t) {}
};

template <>
struct Piece<0, 0> {
  double* segment;
  struct {
  } in;  // nothing: the vectors wait in `segment`
  void put(std::int64_t c, int v, Native value) { store(segment + c * kPanel + v, value); }
  void join_vector(double*, int) {}
  void join_panel(double* out, std::int64_t components) {
    join_components(
        [this](std::int64_t c, std::int64_t k) { return load<Native>(segment + c * kPanel + k); },
        components, kPanel, out);
  }
};

/// Calls body(l, range) for the panels l < k and then, up to `last`, those from k on.
template <class Body>
FLOWSCAPE_INLINE void for_panels(std::int64_t k, std::int64_t last, Body&& body) {
  for (std::int64_t l = 0; l < k; ++l) body(l, 0);
  for (std::int64_t l = k; l <= last; ++l) body(l, 1);
}

}  // namespace

void NeuronKernel::pack(std::int64_t first, std::int64_t count, std::int64_t place) noexcept {
  const std::int64_t D = layout_.features;
  for_chunks(count, [&](std::int64_t k, std::int64_t width, std::int64_t at) {
    for (std::int64_t l = 0; l < width; l += kPanel)
      for (int v = 0; v < kPanel; v += kLanes)
        with_count(D, [&]<int C>() {
          pack_columns<C>(D, count, problem_.row_roots.data() + first,
                          problem_.row_features.data() + first * D, h_.data() + at + l + v,
                          s_.data() + at + l + v, width, lanes_below<Native>(width - l - v),
                          pairs_.panel(0, (k + l) / kPanel, place) + v,
                          pairs_.panel(1, 0, 0) - pairs_.panel(0, 0, 0));
        });
  });
}

void NeuronKernel::write_hessian(HessianRows hessian) noexcept {
  RowStream out(row_.data(), hessian.data, hessian.past_caches);
  const std::int64_t D = layout_.features;
  for (std::int64_t k = 0; k < pairs_.panels(); ++k) {
    orient(k, hessian.packed_triangle ? k : pairs_.panels() - 1);
    const auto write = [&]<int K, int F>() { write_panel<K, F>(k, hessian.packed_triangle, out); };
    if (layout_.outputs > 1 || D > 4) write.template operator()<0, 0>();
    else if (D == 1) write.template operator()<1, 1>();
    else if (D == 2) write.template operator()<1, 2>();
    else if (D == 3) write.template operator()<1, 3>();
    else write.template operator()<1, 4>();
  }
  if (problem_.shape.output_bias) write_output_biases(hessian.packed_triangle, out);
  out.finish();
}

// The tiles seen from row panel k: entry [i][j] belongs to neuron i of panel k and j of panel l.
void NeuronKernel::orient(std::int64_t k, std::int64_t last) noexcept {
  const std::int64_t D = layout_.features;
  double* spare = oriented_.data();
  auto view = [&, view = views_.begin()](const double* low, const double* high) mutable {
    *view++ = {low, high};
  };
  const auto turned = [&](std::int64_t l) { return spare + l * kPanelTile; };
  const auto next = [&] { return std::exchange(spare, turned(pairs_.panels())); };
  const auto symmetric = [&](auto&& tile) {
    mirror_tile(tile(k, k), turned(k));
    for (std::int64_t l = k + 1; l <= last; ++l) transpose_tile(tile(l, k), turned(l));
    view(tile(k, 0), next());
  };
  symmetric([&](std::int64_t i, std::int64_t j) { return pairs_.hh(i, j); });
  for (std::int64_t j = 0; j < D; ++j) view(pairs_.hs(j, k, 0), pairs_.hs(j, k, 0));
  for (std::int64_t j = 0; j < D; ++j) {
    for (std::int64_t l = 0; l <= last; ++l) transpose_tile(pairs_.hs(j, l, k), turned(l));
    const double* const all = next();
    view(all, all);
  }
  for (std::int64_t t = 0; t < triangle(D); ++t)
    symmetric([&](std::int64_t i, std::int64_t j) { return pairs_.ss(t, i, j); });
}

template <int K, int D, class Fill>
void NeuronKernel::compose_row(std::int64_t k, std::int64_t i, std::int64_t last, double* row,
                               Fill&& fill) noexcept {
  const std::int64_t C = (K > 0 ? K : layout_.outputs) + (D > 0 ? D : layout_.features);
  Piece<K, D> piece{segment_.data(), {}};
  for_panels(k, last, [&](std::int64_t l, int range) {
    const std::int64_t at = l * kPanelTile + i * kPanel;
    double* const out = row + l * kPanel * C;
    for (int v = 0; v < kPanel; v += kLanes) {
      fill(l * kPanel + v,
           [&](std::int64_t n) { return load<Native>(views_[n][range] + at + v); },
           [&](std::int64_t c, Native value) { piece.put(c, v, value); });
      piece.join_vector(out, v);
    }
    piece.join_panel(out, C);
  });
}

template <int K, int D>
void NeuronKernel::outgoing_row(std::int64_t k, std::int64_t i, std::int64_t o,
                                std::int64_t last, double* row) noexcept {
  const std::int64_t outputs = K > 0 ? K : layout_.outputs;
  const std::int64_t features = D > 0 ? D : layout_.features;
  compose_row<K, D>(k, i, last, row, [&](std::int64_t l, auto&& tile, auto&& put) {
    const Native a = load<Native>(weight(o) + l);
    for (std::int64_t u = 0; u < outputs; ++u) put(u, o == u ? tile(0) : Native{});
    for (std::int64_t j = 0; j < features; ++j) put(outputs + j, a * tile(1 + j));
  });
}

template <int K, int D>
void NeuronKernel::incoming_row(std::int64_t k, std::int64_t i, std::int64_t j,
                                std::int64_t last, double* row) noexcept {
  const std::int64_t outputs = K > 0 ? K : layout_.outputs;
  const std::int64_t features = D > 0 ? D : layout_.features;
  compose_row<K, D>(k, i, last, row, [&](std::int64_t l, auto&& tile, auto&& put) {
    Native product{};  // a_k . a_l
    for (std::int64_t o = 0; o < outputs; ++o) {
      const Native a = broadcast<Native>(weight(o)[k * kPanel + i]);
      product = fma(a, load<Native>(weight(o) + l), product);
      put(o, a * tile(1 + features + j));
    }
    for (std::int64_t u = 0; u < features; ++u) {
      const std::int64_t t = packed(std::max(j, u), std::min(j, u));
      put(outputs + u, product * tile(1 + 2 * features + t));
    }
  });
}

template <int K, int D>
void NeuronKernel::write_panel(std::int64_t k, bool packed_triangle, RowStream& out) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t last = packed_triangle ? k : pairs_.panels() - 1;
  const std::int64_t rows = std::min<std::int64_t>(kPanel, shape.width - k * kPanel);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t c = 0; c < shape.per_neuron(); ++c) {
      const std::int64_t neuron = k * kPanel + i, p = shape.outgoing(neuron) + c;
      double* const row = out.row();
      if (c < shape.outputs)
        outgoing_row<K, D>(k, i, c, last, row);
      else
        incoming_row<K, D>(k, i, c - shape.outputs, last, row);
      add_own(neuron, c, row);
      if (!packed_triangle && shape.output_bias)
        for (std::int64_t o = 0; o < shape.outputs; ++o)
          row[shape.output_biases() + o] = bias_entry(o, neuron, c);
      out.put(packed_triangle ? p + 1 : shape.parameters());
    }
}

// The second derivatives of the residual, and weight decay.
void NeuronKernel::add_own(std::int64_t k, std::int64_t component, double* row) const noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t K = shape.outputs, D = shape.features();
  double *const a = row + shape.outgoing(k), *const w = row + shape.incoming(k);
  const auto cross = [&](std::int64_t o, std::int64_t j) {
    return moment(K == 1 ? layout_.incoming + j : layout_.cross + o * D + j)[k];
  };
  if (component < K) {
    for (std::int64_t j = 0; j < D; ++j) w[j] += cross(component, j);
  } else {
    const std::int64_t j = component - K;
    for (std::int64_t o = 0; o < K; ++o) a[o] += cross(o, j);
    for (std::int64_t i = 0; i < D; ++i) {
      const double curvature =
          moment(layout_.curvature + packed(std::max(i, j), std::min(i, j)))[k];
      w[i] += K == 1 ? weight(0)[k] * curvature : curvature;
    }
  }
  if (problem_.l2 != 0.0) a[component] += problem_.l2;
}

// The entry between output bias o and a component of neuron k.
double NeuronKernel::bias_entry(std::int64_t o, std::int64_t k,
                                std::int64_t component) const noexcept {
  const std::int64_t K = layout_.outputs;
  if (component < K) return component == o ? moment(layout_.bias)[k] : 0.0;
  return weight(o)[k] * moment(layout_.bias + 1 + component - K)[k];
}

void NeuronKernel::write_output_biases(bool packed_triangle, RowStream& out) noexcept {
  const Shape& shape = problem_.shape;
  for (std::int64_t o = 0; o < shape.outputs; ++o) {
    double* const row = out.row();
    for (std::int64_t k = 0; k < shape.width; ++k)
      for (std::int64_t c = 0; c < shape.per_neuron(); ++c)
        row[shape.outgoing(k) + c] = bias_entry(o, k, c);
    double* const own = row + shape.output_biases();
    std::fill_n(own, shape.outputs, 0.0);
    own[o] = horizontal_sum(load<Native>(head_.data() + (1 + shape.outputs) * kLanes));
    if (problem_.l2 != 0.0) own[o] += problem_.l2;
    out.put(packed_triangle ? shape.output_biases() + o + 1 : shape.parameters());
  }
}

}  // namespace flowscape
