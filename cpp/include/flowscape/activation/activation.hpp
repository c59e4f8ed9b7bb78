// Activation functions as finite sums  sum_j c_j sigma_j(s_j z + h_j) + constant.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace flowscape {

enum class Sigma : int {
  tanh,
  sigmoid,
  softplus,
  silu,
  erf,
  Phi,
  gelu,
  gauss,
  sin,
  cos,
  arctan,
  exp,
  sinh,
  rational,
  relu,
  leaky_relu,
  polynomial,
  constant,
};
inline constexpr int kSigmaCount = 18;

/// The function of that name ("const" is the constant); nothing if there is none.
std::optional<Sigma> parse_sigma(std::string_view name) noexcept;
std::string_view sigma_name(Sigma sigma) noexcept;

/// c sigma(s z + h). A polynomial has `coefficients` p_0, p_1, ...; a constant is c alone.
struct Term {
  Sigma sigma;
  double c = 1.0, s = 1.0, h = 0.0;
  std::vector<double> coefficients = {};
};

namespace detail {

/// A term as the kernels read it.
struct PreparedTerm {
  Sigma sigma;
  double c, s, h;
  /// A polynomial and its two derivatives, lowest power first; empty means zero.
  std::vector<double> coefficients[3];
};

/// f = sigma(z) and so on (plain) or f += c sigma(s z + h) and so on (accumulating).
using Kernel = void (*)(const PreparedTerm& term, const double* z, double* f, double* f1,
                        double* f2, std::int64_t count) noexcept;

struct Kernels {
  Kernel plain[3], accumulating[3];  // by order
};

}  // namespace detail

class Activation {
 public:
  /// Throws std::invalid_argument for an empty sum and for a polynomial without coefficients.
  explicit Activation(std::vector<Term> terms);

  /// Value and, for order >= 1 and 2, first and second derivative with respect to z of `count`
  /// arguments. Arrays are 64-byte aligned, `count` is a multiple of kLanes, the outputs do not
  /// overlap z or each other; f1 and f2 may be null where the order does not ask for them.
  /// Element i depends on z[i] alone. At a kink relu and leaky_relu take the left slope.
  void evaluate(int order, const double* z, double* f, double* f1, double* f2,
                std::int64_t count) const noexcept;

  /// Whether a term is not differentiable everywhere.
  bool has_kink() const noexcept;
  const std::vector<Term>& terms() const noexcept { return terms_; }
  /// Whether it is one term with c = s = 1 and h = 0.
  bool is_plain() const noexcept { return plain_; }

  /// The terms one by one, polynomials monomial by monomial; empty if the activation is a single
  /// plain function. What a rounding-error bound needs of a sum whose terms may cancel.
  std::vector<Term> separate_terms() const;

 private:
  std::vector<Term> terms_;
  std::vector<detail::PreparedTerm> prepared_;
  double constant_ = 0.0;
  bool plain_ = false;
};

}  // namespace flowscape
