// Residual, loss and gradient of one network to 31 digits, with bounds on their own rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "flowscape/extended/double_double.hpp"
#include "flowscape/objective/problem_data.hpp"

namespace flowscape::extended {

/// Error of a term in units of its size: the chain of product, activation (1e-31) and sum, with a
/// margin of 5. Bounds below are this times the sums of absolute terms.
inline constexpr double kUnit = 1e-30;

/// Targets [N][K] in two parts, and the size of the terms that they were computed from.
struct Targets {
  const double *hi, *lo, *size;
};

using Numbers = std::vector<DoubleDouble>;

class Residual {
 public:
  /// Keeps references to both.
  Residual(const ProblemData& problem, const Targets& targets);

  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t parameters() const noexcept { return parameters_; }

  /// Evaluates at theta [P] what the members below then hold; the Jacobian only if asked.
  void evaluate(const DoubleDouble* theta, bool with_jacobian);

  const Numbers& values() const noexcept { return values_; }      ///< [N][K], unweighted
  const std::vector<double>& sizes() const noexcept { return sizes_; }  ///< of their terms
  const Numbers& jacobian() const noexcept { return jacobian_; }  ///< [N][K][P]
  double weight(std::int64_t row) const noexcept;                 ///< W_i

  DoubleDouble loss(const DoubleDouble* theta) const noexcept;  ///< with weight decay
  double zero_loss() const noexcept;  ///< loss that rounding of a zero residual alone can leave
  /// Gradient [P], and the bound on its rounding in the infinity norm; after evaluate(theta, true).
  double gradient(const DoubleDouble* theta, DoubleDouble* out) const noexcept;

 private:
  const ProblemData& problem_;
  Targets targets_;
  std::int64_t rows_, parameters_;
  Numbers values_, jacobian_;
  std::vector<double> sizes_;
  std::vector<double> bent_;  ///< [N][K][P], sizes of the terms behind the Jacobian
};

}  // namespace flowscape::extended
