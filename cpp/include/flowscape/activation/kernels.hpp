// Loops over arrays, instantiated once per function in cpp/src/activation/.
#pragma once

#include "flowscape/activation/activation.hpp"
#include "flowscape/activation/functions.hpp"

namespace flowscape::detail {

template <template <class> class Function, int order>
void plain(const PreparedTerm&, const double* z, double* f, double* f1, double* f2,
           std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    Native value, first, second;
    Function<Native>::template apply<order>(load<Native>(z + i), value, first, second);
    store(f + i, value);
    if constexpr (order >= 1) store(f1 + i, first);
    if constexpr (order >= 2) store(f2 + i, second);
  }
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
    Native value, first, second;
    Function<Native>::template apply<order>(fma(s, load<Native>(z + i), h), value, first,
                                            second);
    add(f + i, c, value);
    if constexpr (order >= 1) add(f1 + i, c1, first);
    if constexpr (order >= 2) add(f2 + i, c2, second);
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
