#include "arrays.hpp"
#include "flowscape/descent/descent.hpp"
#include "interruptible.hpp"

namespace flowscape::bindings {
namespace {

using StepNumbers = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;
using Streams = py::array_t<std::uint64_t, py::array::c_style | py::array::forcecast>;

py::dict gradient_descent_rows(const Objective& objective, const Array& theta0,
                               const Array& learning_rate, std::int64_t steps, int rule,
                               double momentum, double beta1, double beta2, double epsilon,
                               double stop_loss, double gtol, double escape,
                               const StepNumbers& save_at, int sampling, std::int64_t batch_size,
                               std::uint64_t key0, std::uint64_t key1, const Streams& streams,
                               int n_threads, const py::object& progress) {
  const std::int64_t P = objective.parameters();
  require_shape(theta0, "theta0", -1, P);
  const std::int64_t B = theta0.shape(0), T = save_at.size();
  if (learning_rate.size() != B || streams.size() != B)
    throw py::value_error("learning_rate and streams must have shape (B,)");
  if (rule < 0 || rule > 3 || sampling < 0 || sampling > 2 || batch_size < 1)
    throw py::value_error("rule, sampling or batch_size is out of range");
  Array theta({B, P}), loss(B), slope(B), lambda(B);
  Array saved = T > 0 ? Array({B, T, P}) : Array(0);
  StepNumbers taken(B);
  py::array_t<std::int8_t> status(B);
  for (Array* real : {&theta, &loss, &slope, &lambda, &saved})
    std::fill_n(real->mutable_data(), real->size(), NAN);
  std::fill_n(taken.mutable_data(), B, 0);
  std::fill_n(status.mutable_data(), B, static_cast<std::int8_t>(Status::not_run));
  const DescentOptions options{
      static_cast<DescentRule>(rule), learning_rate.data(), momentum, beta1, beta2, epsilon,
      steps, stop_loss, gtol, escape, T, save_at.data(), static_cast<Sampling>(sampling),
      batch_size, key0, key1, streams.data()};
  const DescentOutput output{theta.mutable_data(),  loss.mutable_data(),
                             slope.mutable_data(),  lambda.mutable_data(),
                             taken.mutable_data(),  status.mutable_data(),
                             T > 0 ? saved.mutable_data() : nullptr};
  const double* const in = theta0.data();
  const double cost = objective.nanoseconds(1) * static_cast<double>(B) * static_cast<double>(steps);
  // a team of threads never starts on the calling one
  run_interruptible(n_threads > 1 ? 1e12 : cost, progress, [&](auto& stop, auto& finished) {
    gradient_descent(objective, options, B, in, output, n_threads, stop, finished);
  });
  py::dict result;
  result["theta"] = theta;
  result["step"] = taken;
  result["loss"] = loss;
  result["gradient_norm"] = slope;
  result["status"] = status;
  result["lambda_max"] = lambda;
  result["thetas"] = T > 0 ? py::object(saved) : py::none();
  return result;
}

}  // namespace

void bind_descent(py::module_& module) {
  module.def("gradient_descent", &gradient_descent_rows, py::arg("objective"), py::arg("theta0"),
             py::arg("learning_rate"), py::arg("steps"), py::arg("rule"), py::arg("momentum"),
             py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"), py::arg("stop_loss"),
             py::arg("gtol"), py::arg("escape"), py::arg("save_at"), py::arg("sampling"),
             py::arg("batch_size"), py::arg("key0"), py::arg("key1"), py::arg("streams"),
             py::arg("n_threads"), py::arg("progress"));
}

}  // namespace flowscape::bindings
