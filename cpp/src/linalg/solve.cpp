#include <cmath>

#include <Eigen/Cholesky>
#include <Eigen/QR>

#include "flowscape/linalg/dense.hpp"

namespace flowscape {

bool cholesky_factor(std::int64_t n, double* matrix) {
  Eigen::Map<Eigen::MatrixXd> in_place(matrix, n, n);
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>, Eigen::Lower> factor(in_place);
  return factor.info() == Eigen::Success;
}

void cholesky_solve(std::int64_t n, const double* factor, double* b) {
  const Eigen::Map<const Eigen::MatrixXd> lower(factor, n, n);
  Eigen::Map<Eigen::VectorXd> x(b, n);
  lower.triangularView<Eigen::Lower>().solveInPlace(x);
  lower.transpose().triangularView<Eigen::Upper>().solveInPlace(x);
}

void damped_least_squares(std::int64_t rows, std::int64_t columns, const double* a,
                          const double* b, double damping, double* x) {
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::MatrixXd stacked = Eigen::MatrixXd::Zero(rows + columns, columns);
  stacked.topRows(rows) = Eigen::Map<const RowMajor>(a, rows, columns);
  stacked.bottomRows(columns).diagonal().setConstant(std::sqrt(damping));
  Eigen::VectorXd right = Eigen::VectorXd::Zero(rows + columns);
  right.head(rows) = Eigen::Map<const Eigen::VectorXd>(b, rows);
  Eigen::Map<Eigen::VectorXd>(x, columns) = stacked.householderQr().solve(right);
}

}  // namespace flowscape
