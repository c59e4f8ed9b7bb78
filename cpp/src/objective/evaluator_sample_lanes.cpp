// Evaluator with lane = sample.
#include "noise-inl.hpp"

namespace flowscape {
template class Evaluator<SampleLanes>;
}  // namespace flowscape
