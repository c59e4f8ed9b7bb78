// Elementary functions of numbers of 31 digits, relative errors at most 1e-30 where nothing falls
// below 1e-290 (tests/reference/test_double_double.py).
#pragma once

#include "flowscape/extended/double_double.hpp"

namespace flowscape::extended {

DoubleDouble exp(DoubleDouble x) noexcept;
DoubleDouble expm1(DoubleDouble x) noexcept;
DoubleDouble log1p(DoubleDouble x) noexcept;  ///< x > -1
DoubleDouble tanh(DoubleDouble x) noexcept;
DoubleDouble atan(DoubleDouble x) noexcept;

struct SineCosine {
  DoubleDouble sine, cosine;
};
/// |x| <= 1e6.
SineCosine sine_cosine(DoubleDouble x) noexcept;

/// exp(-f x^2) for f = 1 or 1/2: x^2 has more digits than a DoubleDouble, and they count.
DoubleDouble exp_minus_square(DoubleDouble x, double f) noexcept;

DoubleDouble erf(DoubleDouble x) noexcept;
/// erfc(x) for x >= 0, relatively accurate.
DoubleDouble erfc(DoubleDouble x) noexcept;
/// erfc(x) exp(x^2) for x >= 1.
DoubleDouble erfc_over_decay(DoubleDouble x) noexcept;

}  // namespace flowscape::extended
