// Elementary functions in vectors: the transcendental cores all activations share.
//
// V is Vec<1> or Vec<kLanes>. Element i of a result depends on element i of the arguments alone
// and has the same bits for both. NaN gives NaN. "Flushed" means: a value below 2^-1022 is zero
// on levels without `scale`. Errors in ulp hold on every level and are asserted, through the
// activations, in tests/reference/test_activation_errors.py.
#pragma once

#include "flowscape/activation/angle.hpp"
#include "flowscape/activation/compensated.hpp"
#include "flowscape/activation/exponential.hpp"
#include "flowscape/activation/hyperbolic.hpp"
#include "flowscape/activation/logistic.hpp"
#include "flowscape/activation/normal.hpp"
