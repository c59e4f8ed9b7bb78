// Numerical differentiation formulas of order 1 to 5 in backward differences (Klopfenstein 1971;
// Shampine and Reichelt, The MATLAB ODE Suite, SIAM J. Sci. Comput. 18 (1997), section 2).
//
// With nabla^j the j-th backward difference at constant step h, and p the value at t + h of the
// polynomial through the last k + 1 points, order k solves
//   sum_{j=1}^k nabla^j y_new / j - h F(y_new) - kappa_k gamma_k (y_new - p) = 0.
// As sum_j nabla^j y_new / j = gamma_k (y_new - p) + sum_j gamma_j nabla^j y, with d = y_new - p,
//   F(p + d) = (alpha_k / h) d + (1/h) sum_{j=1}^k gamma_j nabla^j y.
#pragma once

namespace flowscape {

struct Ndf {
  static constexpr int highest = 5;  ///< highest order
  static constexpr double kappa[6] = {0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0};
  /// gamma_j = 1 + 1/2 + ... + 1/j
  static constexpr double gamma[6] = {0.0, 1.0, 3.0 / 2, 11.0 / 6, 25.0 / 12, 137.0 / 60};

  static constexpr double alpha(int order) noexcept {
    return (1.0 - kappa[order]) * gamma[order];
  }
  /// Local error of order k is error(k) h^{k+1} y^{(k+1)}, that is about error(k) d.
  static constexpr double error(int order) noexcept {
    return kappa[order] * gamma[order] + 1.0 / (order + 1);
  }

  /// Differences for steps of length f h from those for h, orders 1 to `order`:
  /// new[q] = sum_{j >= q} matrix[j][q] old[j], by evaluating the polynomial through the points
  /// at its new nodes and taking differences again.
  static void rescaling(int order, double f, double matrix[6][6]) noexcept {
    double basis[6][6];  // basis[j][m]: of nabla^j at the node t - m f h
    for (int m = 0; m <= order; ++m) {
      basis[0][m] = 1.0;
      for (int j = 1; j <= order; ++j) basis[j][m] = basis[j - 1][m] * (j - 1 - f * m) / j;
    }
    for (int q = 1; q <= order; ++q)
      for (int j = q; j <= order; ++j) {
        double sum = 0.0, binomial = 1.0;  // (-1)^m C(q, m)
        for (int m = 0; m <= q; ++m) {
          sum += binomial * basis[j][m];
          binomial *= -static_cast<double>(q - m) / (m + 1);
        }
        matrix[j][q] = sum;
      }
  }
};

}  // namespace flowscape
