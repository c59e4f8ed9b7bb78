// Networks of a few neurons, lane = network: sums and assembly without leaving the registers.
//
// The general kernels write every sum to memory and assemble from there; for two neurons and six
// samples that costs more than the activations. Here width M and features D are compile-time
// constants, one output, no output bias, all samples of one weight, which is applied at the end.
#pragma once

#include "flowscape/objective/problem_data.hpp"

namespace flowscape {

/// What the activation gave, vectors of kLanes networks: h, s, q [M][N]; q is read at order 2 only.
struct SmallActivations {
  const double *h, *s, *q;
};

/// Loss [W], gradient [P][W] and packed Hessian [tri(P)][W] of one block, without weight decay, as
/// far as the order goes. `residual` is scratch of N vectors. A value has the same bits at every
/// order.
using SmallKernel = void (*)(const ProblemData& problem, const double* theta,
                             const SmallActivations& values, double* residual, double* loss,
                             double* gradient, double* hessian) noexcept;

/// The kernel of that order (0, 1, 2), or null if the problem is not a small one.
SmallKernel small_kernel(const ProblemData& problem, int order) noexcept;

}  // namespace flowscape
