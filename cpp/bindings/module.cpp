// The compiled core of one instruction-set level: a list of its subjects.
#include <pybind11/pybind11.h>

#include "flowscape/simd/vector.hpp"

namespace flowscape::bindings {
void bind_activation(pybind11::module_&);
void bind_objective(pybind11::module_&);
void bind_extended(pybind11::module_&);
void bind_flow(pybind11::module_&);
void bind_descent(pybind11::module_&);
void bind_polish(pybind11::module_&);
void bind_random(pybind11::module_&);
}  // namespace flowscape::bindings

PYBIND11_MODULE(FLOWSCAPE_MODULE, module) {
  using namespace flowscape::bindings;
  bind_activation(module);
  bind_objective(module);
  bind_extended(module);
  bind_flow(module);
  bind_descent(module);
  bind_polish(module);
  bind_random(module);
  module.attr("level") = FLOWSCAPE_LEVEL;
  module.attr("lanes") = flowscape::kLanes;
  module.attr("fused_multiply_add") = flowscape::kFusedFma;
  module.attr("compiler") = "g++ " __VERSION__;
#ifdef _OPENMP
  module.attr("openmp") = true;
#else
  module.attr("openmp") = false;
#endif
}
