// Between neuron-major rows (a_1, w_1, a_2, ...) and one column per component.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Calls body.template operator()<C>() with C = count up to 6, or 0 beyond.
template <class Body>
FLOWSCAPE_INLINE void with_count(std::int64_t count, Body&& body) {
  switch (count) {
    case 1: return body.template operator()<1>();
    case 2: return body.template operator()<2>();
    case 3: return body.template operator()<3>();
    case 4: return body.template operator()<4>();
    case 5: return body.template operator()<5>();
    case 6: return body.template operator()<6>();
    default: return body.template operator()<0>();
  }
}

namespace detail {

/// Of C vectors interleaved, vector Q has lane (Q W + e) / C of vector (Q W + e) % C at place e.
template <int C, int Q>
constexpr int source(std::size_t e) {
  return (Q * kLanes + static_cast<int>(e)) % C;
}
template <int C, int Q>
constexpr int lane(std::size_t e) {
  return (Q * kLanes + static_cast<int>(e)) / C;
}

/// Vector Q from its first two sources; the places of others hold anything.
template <int C, int Q, std::size_t... E>
FLOWSCAPE_INLINE Native first_sources(Native a, Native b, std::index_sequence<E...>) {
  return __builtin_shufflevector(a, b, (source<C, Q>(E) == 1 ? kLanes + lane<C, Q>(E)
                                        : source<C, Q>(E) == 0 ? lane<C, Q>(E)
                                                               : static_cast<int>(E))...);
}

/// The same with the places of source S.
template <int C, int Q, int S, std::size_t... E>
FLOWSCAPE_INLINE Native add_source(Native joined, Native in, std::index_sequence<E...>) {
  return __builtin_shufflevector(
      joined, in,
      (source<C, Q>(E) == S ? kLanes + lane<C, Q>(E) : static_cast<int>(E))...);
}

template <int C, int Q, int... S>
FLOWSCAPE_INLINE Native joined_vector(const Native* in, std::integer_sequence<int, S...>) {
  constexpr auto lanes = std::make_index_sequence<kLanes>{};
  Native joined = first_sources<C, Q>(in[0], in[1], lanes);
  ((joined = add_source<C, Q, S + 2>(joined, in[S + 2], lanes)), ...);
  return joined;
}

template <int C, int... Q>
FLOWSCAPE_INLINE void join_vectors(const Native* in, double* out,
                                   std::integer_sequence<int, Q...>) {
  (store_unaligned(out + Q * kLanes,
                   joined_vector<C, Q>(in, std::make_integer_sequence<int, C - 2>{})),
   ...);
}

/// Vector S of C columns from C consecutive vectors: lane l is element l C + S of them. Source q
/// holds the elements q W to q W + W - 1.
template <int C, int S, int Q, std::size_t... L>
FLOWSCAPE_INLINE Native pick_source(Native picked, Native in, std::index_sequence<L...>) {
  return __builtin_shufflevector(
      picked, in,
      ((static_cast<int>(L) * C + S) / kLanes == Q
           ? kLanes + (static_cast<int>(L) * C + S) % kLanes
           : (Q == 1 && (static_cast<int>(L) * C + S) / kLanes == 0
                  ? (static_cast<int>(L) * C + S) % kLanes
                  : static_cast<int>(L)))...);
}

template <int C, int S, int... Q>
FLOWSCAPE_INLINE Native split_vector(const Native* in, std::integer_sequence<int, Q...>) {
  Native picked = in[0];
  ((picked = pick_source<C, S, Q + 1>(picked, in[Q + 1],
                                      std::make_index_sequence<kLanes>{})), ...);
  return picked;
}

template <int C, int... S>
FLOWSCAPE_INLINE void split_vectors(const Native* in, Native* out,
                                    std::integer_sequence<int, S...>) {
  ((out[S] = split_vector<C, S>(in, std::make_integer_sequence<int, C - 1>{})), ...);
}

}  // namespace detail

/// out[l C + c] = in[c][l]: C >= 2 vectors to C kLanes consecutive doubles.
template <int C>
  requires(C >= 2)
FLOWSCAPE_INLINE void join_vectors(const Native (&in)[C], double* out) {
  detail::join_vectors<C>(in, out, std::make_integer_sequence<int, C>{});
}

/// The inverse: out[c][l] = in[l C + c].
template <int C>
  requires(C >= 2)
FLOWSCAPE_INLINE void split_vectors(const double* in, Native (&out)[C]) {
  Native vectors[C];
  for (int q = 0; q < C; ++q) vectors[q] = load_unaligned<Native>(in + q * kLanes);
  detail::split_vectors<C>(vectors, out, std::make_integer_sequence<int, C>{});
}

/// columns[c][k] = rows[k][c] for `count` rows of `components`; columns are `stride` apart.
inline void split_components(const double* rows, std::int64_t components, std::int64_t count,
                             std::int64_t stride, double* columns) noexcept {
  with_count(components, [&]<int C>() {
    std::int64_t k = 0;
    if constexpr (C >= 2)
      for (; k + kLanes <= count; k += kLanes) {
        Native column[C];
        split_vectors(rows + k * C, column);
        for (int c = 0; c < C; ++c) store(columns + c * stride + k, column[c]);
      }
    for (; k < count; ++k)
      for (std::int64_t c = 0; c < components; ++c)
        columns[c * stride + k] = rows[k * components + c];
  });
}

/// The inverse of columns given by `column(c, k)`, lanes k to k + kLanes - 1 of component c; it is
/// asked for lanes past `count` where that is no multiple of kLanes.
template <class Column>
FLOWSCAPE_INLINE void join_components(Column&& column, std::int64_t components,
                                      std::int64_t count, double* rows) noexcept {
  with_count(components, [&]<int C>() {
    std::int64_t k = 0;
    if constexpr (C >= 2)
      for (; k + kLanes <= count; k += kLanes) {
        Native vectors[C];
        for (int c = 0; c < C; ++c) vectors[c] = column(c, k);
        join_vectors(vectors, rows + k * C);
      }
    for (; k < count; k += kLanes) {
      const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, count - k));
      for (std::int64_t c = 0; c < components; ++c) {
        const Native vector = column(c, k);
        for (int l = 0; l < lanes; ++l) rows[(k + l) * components + c] = vector[l];
      }
    }
  });
}

}  // namespace flowscape
