#include "evaluator-inl.hpp"

namespace flowscape {
// Only what a step of stochastic descent needs.
template Evaluator<OwnSamples>::Evaluator(const ProblemData&);
template void Evaluator<OwnSamples>::evaluate(int, const double*, double*, double*,
                                              double*) noexcept;
}  // namespace flowscape
