// The baseline module: which levels this machine can run. Compiled without -m flags, and on the
// plain C API: pybind11 would cost this one function more compile time than a kernel.
#include <Python.h>

namespace {

/// Levels the processor has and the operating system enables, narrowest first.
/// GCC's run-time check reads both CPUID and XCR0.
PyObject* supported_levels(PyObject*, PyObject*) {
  PyObject* const levels = PyList_New(0);
  if (levels == nullptr) return nullptr;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const struct {
    const char* name;
    bool supported;
  } known[] = {{"v2", __builtin_cpu_supports("x86-64-v2") != 0},
               {"v3", __builtin_cpu_supports("x86-64-v3") != 0},
               {"v4", __builtin_cpu_supports("x86-64-v4") != 0}};
  for (const auto& level : known) {
    if (!level.supported) continue;
    PyObject* const name = PyUnicode_FromString(level.name);
    const bool appended = name != nullptr && PyList_Append(levels, name) == 0;
    Py_XDECREF(name);
    if (!appended) {
      Py_DECREF(levels);
      return nullptr;
    }
  }
#endif
  return levels;
}

PyMethodDef methods[] = {{"supported_levels", supported_levels, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef module = {PyModuleDef_HEAD_INIT, "_baseline", nullptr, -1,     methods, nullptr,
                      nullptr,               nullptr,     nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__baseline() { return PyModule_Create(&module); }
