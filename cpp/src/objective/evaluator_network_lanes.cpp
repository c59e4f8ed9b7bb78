// Evaluator with lane = network.
#include "noise-inl.hpp"

namespace flowscape {
template class Evaluator<NetworkLanes>;
}  // namespace flowscape
