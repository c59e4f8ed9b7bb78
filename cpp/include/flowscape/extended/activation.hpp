// The project's activation functions and two derivatives to 31 digits.
#pragma once

#include "flowscape/activation/activation.hpp"
#include "flowscape/extended/double_double.hpp"

namespace flowscape::extended {

struct Jet {
  DoubleDouble value, first, second;
};

/// sigma(z) and two derivatives; at a kink the left slope. Not for polynomial and constant.
Jet sigma(Sigma name, DoubleDouble z) noexcept;

/// The sum of all terms at z, and `size`, the same sums of absolute terms, rounded.
struct SummedJet {
  Jet jet;
  double size[3];
};
SummedJet evaluate(const std::vector<Term>& terms, DoubleDouble z) noexcept;

}  // namespace flowscape::extended
