#include <Eigen/Eigenvalues>

#include "flowscape/linalg/dense.hpp"

namespace flowscape {

void symmetric_eigen(std::int64_t n, const double* matrix, double* values, double* vectors) {
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::MatrixXd lower = Eigen::Map<const RowMajor>(matrix, n, n);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      lower, vectors ? Eigen::ComputeEigenvectors : Eigen::EigenvaluesOnly);
  Eigen::Map<Eigen::VectorXd>(values, n) = solver.eigenvalues();
  if (vectors) Eigen::Map<Eigen::MatrixXd>(vectors, n, n) = solver.eigenvectors();
}

}  // namespace flowscape
