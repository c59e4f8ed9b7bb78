// The baseline module: which levels this machine can run. Compiled without -m flags.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

namespace {

/// Levels the processor has and the operating system enables, narrowest first.
/// GCC's run-time check reads both CPUID and XCR0.
std::vector<std::string> supported_levels() {
  std::vector<std::string> levels;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v2")) levels.emplace_back("v2");
  if (__builtin_cpu_supports("x86-64-v3")) levels.emplace_back("v3");
  if (__builtin_cpu_supports("x86-64-v4")) levels.emplace_back("v4");
#endif
  return levels;
}

}  // namespace

PYBIND11_MODULE(_baseline, module) {
  module.def("supported_levels", &supported_levels);
}
