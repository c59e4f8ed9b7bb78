// Array kernels of the activations made of exp(-z²) and the normal distribution.
#include "flowscape/activation/kernels.hpp"

namespace flowscape::detail {

const Kernels kErfKernels = kernels_of<Erf>();
const Kernels kPhiKernels = kernels_of<Phi>();
const Kernels kGeluKernels = kernels_of<Gelu>();
const Kernels kGaussKernels = kernels_of<Gauss>();

}  // namespace flowscape::detail
