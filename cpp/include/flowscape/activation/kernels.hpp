// Loops over arrays, instantiated once per function in cpp/src/activation/.
#pragma once

#include "flowscape/activation/activation.hpp"
#include "flowscape/activation/functions.hpp"

namespace flowscape::detail {

/// Vectors that `plain` works on at a time. One function is a long chain of dependent operations;
/// four of them, interleaved by the compiler's scheduler (CMakeLists.txt asks for it), take 5 to
/// 20 % less than one after the other. Sixteen registers hold no more than two.
inline constexpr int kInterleaved = kLanes == 8 ? 4 : 2;

/// What Function::apply left wrong of `count` vectors (functions.hpp).
template <template <class> class Function, int order, int count>
FLOWSCAPE_INLINE void mend_far(const Native (&z)[count], Native (&f)[count], Native (&f1)[count],
                               Native (&f2)[count]) {
  if constexpr (requires { Function<Native>::kFar; }) {
    Native size{};
#pragma GCC unroll 4
    for (int u = 0; u < count; ++u) size = max(abs(z[u]), size);  // in this order NaN hides nothing
    if (__builtin_expect(any(size > broadcast<Native>(Function<Native>::kFar)), 0))
      for (int u = 0; u < count; ++u) Function<Native>::template mend<order>(z[u], f[u], f1[u], f2[u]);
  }
}

/// Value and derivatives of `count` vectors of arguments.
template <template <class> class Function, int order, int count>
FLOWSCAPE_INLINE void apply_to(const double* z, double* f, double* f1, double* f2) {
  Native argument[count], value[count], first[count], second[count];
#pragma GCC unroll 4
  for (int u = 0; u < count; ++u) {
    argument[u] = load<Native>(z + u * kLanes);
    Function<Native>::template apply<order>(argument[u], value[u], first[u], second[u]);
  }
  mend_far<Function, order>(argument, value, first, second);
#pragma GCC unroll 4
  for (int u = 0; u < count; ++u) {
    store(f + u * kLanes, value[u]);
    if constexpr (order >= 1) store(f1 + u * kLanes, first[u]);
    if constexpr (order >= 2) store(f2 + u * kLanes, second[u]);
  }
}

template <template <class> class Function, int order>
void plain(const PreparedTerm&, const double* z, double* f, double* f1, double* f2,
           std::int64_t count) noexcept {
  std::int64_t i = 0;
  for (; i + kInterleaved * kLanes <= count; i += kInterleaved * kLanes)
    apply_to<Function, order, kInterleaved>(z + i, f + i, f1 + i, f2 + i);
  for (; i < count; i += kLanes) apply_to<Function, order, 1>(z + i, f + i, f1 + i, f2 + i);
}

/// p += factor·v on the array.
FLOWSCAPE_INLINE void add(double* p, Native factor, Native v) {
  store(p, fma(factor, v, load<Native>(p)));
}

template <template <class> class Function, int order>
void accumulating(const PreparedTerm& term, const double* z, double* f, double* f1, double* f2,
                  std::int64_t count) noexcept {
  const Native s = broadcast<Native>(term.s), h = broadcast<Native>(term.h);
  const Native c = broadcast<Native>(term.c), c1 = c * s, c2 = c1 * s;
  for (std::int64_t i = 0; i < count; i += kLanes) {
    Native argument[] = {fma(s, load<Native>(z + i), h)}, value[1], first[1], second[1];
    Function<Native>::template apply<order>(argument[0], value[0], first[0], second[0]);
    mend_far<Function, order>(argument, value, first, second);
    add(f + i, c, value[0]);
    if constexpr (order >= 1) add(f1 + i, c1, first[0]);
    if constexpr (order >= 2) add(f2 + i, c2, second[0]);
  }
}

template <template <class> class Function>
constexpr Kernels kernels_of() {
  return {{plain<Function, 0>, plain<Function, 1>, plain<Function, 2>},
          {accumulating<Function, 0>, accumulating<Function, 1>, accumulating<Function, 2>}};
}

extern const Kernels kTanhKernels, kSigmoidKernels, kSoftplusKernels, kSiluKernels;
extern const Kernels kErfKernels, kPhiKernels, kGeluKernels, kGaussKernels;
extern const Kernels kSinKernels, kCosKernels, kArctanKernels;
extern const Kernels kExpKernels, kSinhKernels, kRationalKernels, kReluKernels,
    kLeakyReluKernels, kPolynomialKernels;

}  // namespace flowscape::detail
