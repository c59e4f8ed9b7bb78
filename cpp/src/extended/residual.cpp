#include "flowscape/extended/residual.hpp"

#include <algorithm>
#include <cmath>

#include "flowscape/extended/activation.hpp"

namespace flowscape::extended {

Residual::Residual(const ProblemData& problem, const Targets& targets)
    : problem_(problem), targets_(targets), rows_(problem.samples * problem.shape.outputs),
      parameters_(problem.shape.parameters()), values_(rows_), sizes_(rows_) {}

double Residual::weight(std::int64_t row) const noexcept {
  return problem_.row_weights.data()[row / problem_.shape.outputs];
}

void Residual::evaluate(const DoubleDouble* theta, bool with_jacobian) {
  const Shape& shape = problem_.shape;
  const std::int64_t D = shape.features(), K = shape.outputs, P = parameters_;
  if (with_jacobian) {
    jacobian_.assign(rows_ * P, DoubleDouble());
    bent_.assign(rows_ * P, 0.0);
  }
  for (std::int64_t i = 0; i < problem_.samples; ++i) {
    const double* const x = problem_.row_features.data() + i * D;
    for (std::int64_t o = 0; o < K; ++o) {
      const std::int64_t row = i * K + o;
      values_[row] = -DoubleDouble(targets_.hi[row], targets_.lo[row]);
      sizes_[row] = targets_.size[row];
      if (!shape.output_bias) continue;
      const DoubleDouble c = theta[shape.output_biases() + o];
      values_[row] += c;
      sizes_[row] += std::abs(c.hi);
      if (with_jacobian) jacobian_[row * P + shape.output_biases() + o] = 1.0;
    }
    for (std::int64_t k = 0; k < shape.width; ++k) {
      const DoubleDouble* const w = theta + shape.incoming(k);
      DoubleDouble z;
      double reach = 0.0;  // |w| . |x|
      for (std::int64_t j = 0; j < D; ++j) {
        z += w[j] * x[j];
        reach += std::abs(w[j].hi * x[j]);
      }
      const auto [jet, size] = extended::evaluate(problem_.activation.terms(), z);
      for (std::int64_t o = 0; o < K; ++o) {
        const std::int64_t row = i * K + o, at = shape.outgoing(k) + o;
        const DoubleDouble a = theta[at];
        values_[row] += a * jet.value;
        sizes_[row] += std::abs(a.hi) * (size[0] + size[1] * reach);
        if (!with_jacobian) continue;
        jacobian_[row * P + at] = jet.value;
        bent_[row * P + at] = size[0] + size[1] * reach;
        for (std::int64_t j = 0; j < D; ++j) {
          const std::int64_t p = row * P + shape.incoming(k) + j;
          jacobian_[p] = a * jet.first * x[j];
          bent_[p] = std::abs(a.hi * x[j]) * (size[1] + size[2] * reach);
        }
      }
    }
  }
}

DoubleDouble Residual::loss(const DoubleDouble* theta) const noexcept {
  DoubleDouble sum, decay;
  for (std::int64_t row = 0; row < rows_; ++row)
    sum += weight(row) * (values_[row] * values_[row]);
  if (problem_.l2 != 0.0)
    for (std::int64_t p = 0; p < parameters_; ++p) decay += theta[p] * theta[p];
  return scaled(sum + problem_.l2 * decay, -1);
}

double Residual::zero_loss() const noexcept {
  double sum = 0.0;
  for (std::int64_t row = 0; row < rows_; ++row)
    sum += weight(row) * (kUnit * sizes_[row]) * (kUnit * sizes_[row]);
  return 0.5 * sum;
}

double Residual::gradient(const DoubleDouble* theta, DoubleDouble* out) const noexcept {
  double bound = 0.0;
  for (std::int64_t p = 0; p < parameters_; ++p) {
    DoubleDouble sum = problem_.l2 * theta[p];
    double size = std::abs(sum.hi);
    for (std::int64_t row = 0; row < rows_; ++row) {
      const std::int64_t place = row * parameters_ + p;
      sum += weight(row) * (values_[row] * jacobian_[place]);
      size += weight(row) * (sizes_[row] * std::abs(jacobian_[place].hi) +
                             std::abs(values_[row].hi) * bent_[place]);
    }
    out[p] = sum;
    bound = std::max(bound, kUnit * size);
  }
  return bound;
}

}  // namespace flowscape::extended
