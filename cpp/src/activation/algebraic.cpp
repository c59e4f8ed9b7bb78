// Array kernels of the remaining activations.
#include <cstddef>

#include "flowscape/activation/kernels.hpp"

namespace flowscape::detail {
namespace {

/// p_0 + p_1 x + ...; the empty sum is 0.
FLOWSCAPE_INLINE Native horner(const double* p, std::size_t length, Native x) {
  Native sum = broadcast<Native>(length == 0 ? 0.0 : p[length - 1]);
  for (std::size_t k = length; k-- > 1;) sum = fma(sum, x, broadcast<Native>(p[k - 1]));
  return unless_nan(x, sum);
}

/// out = p(x) or out += factor·p(x), x = s z + h. A polynomial's coefficients are data, so its
/// value and derivatives are three passes of the same loop.
template <bool accumulate>
void polynomial_pass(const PreparedTerm& term, int derivative, double factor, const double* z,
                     double* out, std::int64_t count) noexcept {
  const double* p = term.coefficients[derivative].data();
  const std::size_t length = term.coefficients[derivative].size();
  const Native s = broadcast<Native>(term.s), h = broadcast<Native>(term.h);
  for (std::int64_t i = 0; i < count; i += kLanes) {
    if constexpr (accumulate)
      add(out + i, broadcast<Native>(factor), horner(p, length, fma(s, load<Native>(z + i), h)));
    else
      store(out + i, horner(p, length, load<Native>(z + i)));
  }
}

template <bool accumulate, int order>
void polynomial_kernel(const PreparedTerm& term, const double* z, double* f, double* f1,
                       double* f2, std::int64_t count) noexcept {
  const double c = term.c, s = term.s;
  polynomial_pass<accumulate>(term, 0, c, z, f, count);
  if constexpr (order >= 1) polynomial_pass<accumulate>(term, 1, c * s, z, f1, count);
  if constexpr (order >= 2) polynomial_pass<accumulate>(term, 2, c * s * s, z, f2, count);
}

}  // namespace

const Kernels kExpKernels = kernels_of<Exp>();
const Kernels kSinhKernels = kernels_of<Sinh>();
const Kernels kRationalKernels = kernels_of<Rational>();
const Kernels kReluKernels = kernels_of<Relu>();
const Kernels kLeakyReluKernels = kernels_of<LeakyRelu>();
const Kernels kPolynomialKernels = {
    {polynomial_kernel<false, 0>, polynomial_kernel<false, 1>, polynomial_kernel<false, 2>},
    {polynomial_kernel<true, 0>, polynomial_kernel<true, 1>, polynomial_kernel<true, 2>}};

}  // namespace flowscape::detail
