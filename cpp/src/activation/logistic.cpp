// Array kernels of the activations made of exp(-|z|) and 1 / (1 + exp(-|z|)).
#include "flowscape/activation/kernels.hpp"

namespace flowscape::detail {

const Kernels kTanhKernels = kernels_of<Tanh>();
const Kernels kSigmoidKernels = kernels_of<Sigmoid>();
const Kernels kSoftplusKernels = kernels_of<Softplus>();
const Kernels kSiluKernels = kernels_of<Silu>();

}  // namespace flowscape::detail
