// Loops over arrays, instantiated once per function in cpp/src/activation/.
#pragma once

#include "flowscape/activation/activation.hpp"
#include "flowscape/activation/functions.hpp"

namespace flowscape::detail {

/// Value and derivatives of one vector of arguments.
template <template <class> class Function, int order>
struct Jet {
  Native value, first, second;

  FLOWSCAPE_INLINE explicit Jet(Native z) {
    Function<Native>::template apply<order>(z, value, first, second);
  }
  FLOWSCAPE_INLINE void store_at(double* f, double* f1, double* f2) const {
    store(f, value);
    if constexpr (order >= 1) store(f1, first);
    if constexpr (order >= 2) store(f2, second);
  }
};

/// Two vectors at a time: their long chains of dependent operations overlap, which saves 5 to 10 %.
template <template <class> class Function, int order>
void plain(const PreparedTerm&, const double* z, double* f, double* f1, double* f2,
           std::int64_t count) noexcept {
  std::int64_t i = 0;
  for (; i + kLanes < count; i += 2 * kLanes) {
    const std::int64_t j = i + kLanes;
    const Jet<Function, order> left(load<Native>(z + i)), right(load<Native>(z + j));
    left.store_at(f + i, f1 + i, f2 + i);
    right.store_at(f + j, f1 + j, f2 + j);
  }
  if (i < count) Jet<Function, order>(load<Native>(z + i)).store_at(f + i, f1 + i, f2 + i);
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
