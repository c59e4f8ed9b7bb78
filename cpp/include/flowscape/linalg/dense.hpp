// Dense linear algebra on raw arrays, by Eigen: the only files that include its decompositions,
// which take most of their time to compile, are those of src/linalg.
#pragma once

#include <cstdint>

namespace flowscape {

/// Eigenvalues, ascending, of a symmetric matrix [n][n] of which the lower triangle is read; and
/// unless null the eigenvectors [n][n], one per row.
void symmetric_eigen(std::int64_t n, const double* matrix, double* values, double* vectors);

/// Cholesky factor of a symmetric matrix [n][n] in place, column-major lower triangle; false if
/// the matrix is not positive definite. Then solve with the factor, in place.
bool cholesky_factor(std::int64_t n, double* matrix);
void cholesky_solve(std::int64_t n, const double* factor, double* b);

/// x minimising |A x - b|^2 + damping |x|^2, A [rows][columns] row-major; damping > 0.
void damped_least_squares(std::int64_t rows, std::int64_t columns, const double* a,
                          const double* b, double damping, double* x);

}  // namespace flowscape
