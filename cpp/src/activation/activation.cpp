// Sums of activation functions: names, preparation and dispatch to the array kernels.
#include "flowscape/activation/activation.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "flowscape/activation/kernels.hpp"

namespace flowscape {
namespace {

/// Elements per pass over the terms: arguments and three outputs stay in the first-level cache.
constexpr std::int64_t kChunk = 256;

struct Entry {
  std::string_view name;
  const detail::Kernels* kernels;
};

/// In the order of `Sigma`.
constexpr std::array<Entry, kSigmaCount> kTable = {{
    {"tanh", &detail::kTanhKernels},
    {"sigmoid", &detail::kSigmoidKernels},
    {"softplus", &detail::kSoftplusKernels},
    {"silu", &detail::kSiluKernels},
    {"erf", &detail::kErfKernels},
    {"Phi", &detail::kPhiKernels},
    {"gelu", &detail::kGeluKernels},
    {"gauss", &detail::kGaussKernels},
    {"sin", &detail::kSinKernels},
    {"cos", &detail::kCosKernels},
    {"arctan", &detail::kArctanKernels},
    {"exp", &detail::kExpKernels},
    {"sinh", &detail::kSinhKernels},
    {"rational", &detail::kRationalKernels},
    {"relu", &detail::kReluKernels},
    {"leaky_relu", &detail::kLeakyReluKernels},
    {"polynomial", &detail::kPolynomialKernels},
    {"const", nullptr},
}};

const Entry& entry(Sigma sigma) { return kTable[static_cast<std::size_t>(sigma)]; }

/// Without leading zero coefficients, so that infinite arguments meet no 0·inf.
std::vector<double> trimmed(std::vector<double> p) {
  while (!p.empty() && p.back() == 0.0) p.pop_back();
  return p;
}

std::vector<double> derivative(const std::vector<double>& p) {
  std::vector<double> result;
  for (std::size_t k = 1; k < p.size(); ++k) result.push_back(static_cast<double>(k) * p[k]);
  return result;
}

detail::PreparedTerm prepare(const Term& term) {
  detail::PreparedTerm result{term.sigma, term.c, term.s, term.h, {}};
  if (term.sigma == Sigma::polynomial) {
    if (term.coefficients.empty())
      throw std::invalid_argument(
          "coefficients=[] must not be empty for a polynomial; give p_0, p_1, ...");
    result.coefficients[0] = trimmed(term.coefficients);
    result.coefficients[1] = derivative(result.coefficients[0]);
    result.coefficients[2] = derivative(result.coefficients[1]);
  }
  return result;
}

void fill(double* p, double value, std::int64_t count) { std::fill_n(p, count, value); }

}  // namespace

std::optional<Sigma> parse_sigma(std::string_view name) noexcept {
  for (std::size_t k = 0; k < kTable.size(); ++k)
    if (kTable[k].name == name) return static_cast<Sigma>(k);
  return std::nullopt;
}

std::string_view sigma_name(Sigma sigma) noexcept { return entry(sigma).name; }

Activation::Activation(std::vector<Term> terms) : terms_(std::move(terms)) {
  if (terms_.empty())
    throw std::invalid_argument("terms=[] must hold at least one term; give a name or a term");
  for (const Term& term : terms_) {
    if (term.sigma == Sigma::constant)
      constant_ += term.c;
    else
      prepared_.push_back(prepare(term));
  }
  if (terms_.size() == 1 && prepared_.size() == 1) {
    const Term& only = terms_.front();
    plain_ = only.c == 1.0 && only.s == 1.0 && only.h == 0.0;
  }
}

void Activation::evaluate(int order, const double* z, double* f, double* f1, double* f2,
                          std::int64_t count) const noexcept {
  if (plain_) {
    const detail::PreparedTerm& term = prepared_.front();
    entry(term.sigma).kernels->plain[order](term, z, f, f1, f2, count);
    return;
  }
  for (std::int64_t done = 0; done < count; done += kChunk) {
    const std::int64_t size = std::min(kChunk, count - done);
    double* const g = f + done;
    double* const g1 = order >= 1 ? f1 + done : nullptr;
    double* const g2 = order >= 2 ? f2 + done : nullptr;
    fill(g, constant_, size);
    if (order >= 1) fill(g1, 0.0, size);
    if (order >= 2) fill(g2, 0.0, size);
    for (const detail::PreparedTerm& term : prepared_)
      entry(term.sigma).kernels->accumulating[order](term, z + done, g, g1, g2, size);
  }
}

std::vector<Term> Activation::separate_terms() const {
  std::vector<Term> parts;
  if (plain_ && terms_.size() == 1 && terms_[0].sigma != Sigma::polynomial) return parts;
  for (const Term& term : terms_) {
    if (term.sigma != Sigma::polynomial) {
      parts.push_back(term);
      continue;
    }
    for (std::size_t power = 0; power < term.coefficients.size(); ++power) {
      if (term.coefficients[power] == 0.0) continue;
      Term monomial = term;
      monomial.coefficients.assign(power + 1, 0.0);
      monomial.coefficients[power] = term.coefficients[power];
      parts.push_back(std::move(monomial));
    }
  }
  return parts;
}

bool Activation::has_kink() const noexcept {
  return std::any_of(terms_.begin(), terms_.end(), [](const Term& term) {
    return term.sigma == Sigma::relu || term.sigma == Sigma::leaky_relu;
  });
}

}  // namespace flowscape
