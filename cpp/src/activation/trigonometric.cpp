// Array kernels of the trigonometric activations.
#include "flowscape/activation/kernels.hpp"

namespace flowscape::detail {

const Kernels kSinKernels = kernels_of<Sin>();
const Kernels kCosKernels = kernels_of<Cos>();
const Kernels kArctanKernels = kernels_of<Arctan>();

}  // namespace flowscape::detail
