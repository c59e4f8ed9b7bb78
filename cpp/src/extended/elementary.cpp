#include "flowscape/extended/elementary.hpp"

#include <iterator>
#include <limits>

#include "flowscape/extended/constants.hpp"

namespace flowscape::extended {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// x - k c, c the sum of `count` doubles.
template <int count>
DoubleDouble reduced(DoubleDouble x, double k, const double (&c)[count]) noexcept {
  for (const double part : c) x -= two_product(k, part);
  return x;
}

/// sum_{j >= 0} x^(2j) (+-1)^j / (first + 2j)! up to the table's end.
DoubleDouble alternating(DoubleDouble square, int first) noexcept {
  int k = static_cast<int>(std::size(kInverseFactorial)) - 1;
  k -= (k - first) % 2;
  DoubleDouble sum = kInverseFactorial[k];
  for (k -= 2; k >= first; k -= 2) sum = kInverseFactorial[k] - sum * square;
  return sum;
}

/// expm1 for |r| <= 0.35: Taylor at r / 16, then four times e <- 2 e + e^2.
DoubleDouble expm1_reduced(DoubleDouble r) noexcept {
  constexpr int halvings = 4, order = 17;
  r = scaled(r, -halvings);
  DoubleDouble sum = kInverseFactorial[order];
  for (int k = order - 1; k >= 1; --k) sum = kInverseFactorial[k] + sum * r;
  DoubleDouble e = sum * r;
  for (int i = 0; i < halvings; ++i) e = scaled(e, 1) + e * e;
  return e;
}

}  // namespace

DoubleDouble exp(DoubleDouble x) noexcept {
  if (std::isnan(x.hi)) return x;
  if (x.hi > 709.79) return kInfinity;
  if (x.hi < -746.0) return 0.0;
  const double k = std::nearbyint(x.hi / kLn2[0]);
  return scaled(expm1_reduced(reduced(x, k, kLn2)) + 1.0, static_cast<int>(k));
}

DoubleDouble expm1(DoubleDouble x) noexcept {
  return std::abs(x.hi) < 0.34 ? expm1_reduced(x) : exp(x) - 1.0;
}

// From y of 16 digits by one step of Halley's method on expm1(y) = x: an error e becomes e^3 / 12.
DoubleDouble log1p(DoubleDouble x) noexcept {
  const DoubleDouble y = std::log1p(x.hi);
  const DoubleDouble e = expm1(y);
  return y + scaled(x - e, 1) / (x + e + 2.0);
}

DoubleDouble tanh(DoubleDouble x) noexcept {
  const DoubleDouble e = expm1(scaled(-abs(x), 1));
  const DoubleDouble t = -e / (e + 2.0);
  return x.hi < 0.0 ? -t : t;
}

SineCosine sine_cosine(DoubleDouble x) noexcept {
  const double k = std::nearbyint(x.hi / kHalfPi[0]);
  const DoubleDouble r = reduced(x, k, kHalfPi), square = r * r;
  const DoubleDouble s = r * alternating(square, 1), c = 1.0 - square * alternating(square, 2);
  switch (static_cast<long long>(k) & 3) {
    case 0: return {s, c};
    case 1: return {c, -s};
    case 2: return {-s, -c};
    default: return {-c, s};
  }
}

// tan(y + d) = x with y of 16 digits: d = (x cos y - sin y) / (cos y + x sin y) up to d^3.
DoubleDouble atan(DoubleDouble x) noexcept {
  if (std::isnan(x.hi)) return x;
  if (std::abs(x.hi) > 1e100) {
    const DoubleDouble limit{kHalfPi[0], kHalfPi[1]};
    return x.hi < 0.0 ? -limit : limit;
  }
  const double y = std::atan(x.hi);
  const auto [s, c] = sine_cosine(y);
  return (x * c - s) / (c + x * s) + y;
}

DoubleDouble exp_minus_square(DoubleDouble x, double f) noexcept {
  if (std::abs(x.hi) > 40.0) return std::isnan(x.hi) ? x : 0.0;
  // x^2 = p + q + rest, with 2 hi lo and the errors of both products kept apart.
  const DoubleDouble p = two_product(x.hi, x.hi), q = two_product(2.0 * x.hi, x.lo);
  const DoubleDouble high = two_sum(p.hi, q.hi);
  const DoubleDouble low = DoubleDouble(high.lo) + p.lo + q.lo + two_product(x.lo, x.lo);
  const DoubleDouble sum = two_sum(high.hi, low.hi);
  const DoubleDouble value = exp({-f * sum.hi, -f * sum.lo});
  return value - value * (f * low.lo);
}

// exp(-x^2) 2/sqrt(pi) sum_n 2^n x^(2n+1) / (1 3 ... (2n+1)): all terms have one sign.
DoubleDouble erf(DoubleDouble x) noexcept {
  if (x.hi >= 1.0) return 1.0 - erfc(x);
  if (x.hi <= -1.0) return erfc(-x) - 1.0;
  const DoubleDouble twice = scaled(x * x, 1);
  DoubleDouble term = x, sum = x;
  for (double odd = 3.0; std::abs(term.hi) > 1e-34 * std::abs(sum.hi); odd += 2.0) {
    term = term * twice / odd;
    sum += term;
  }
  return scaled(sum * kInverseSqrtPi * exp_minus_square(x, 1.0), 1);
}

// The continued fraction 1/sqrt(pi) / (x + 1/2 / (x + 1 / (x + 3/2 / (x + ...)))); its depth from
// the slowest case, x = 1.
DoubleDouble erfc_over_decay(DoubleDouble x) noexcept {
  const int depth = 20 + static_cast<int>(800.0 / (x.hi * x.hi));
  DoubleDouble tail = x;
  for (int k = depth; k >= 1; --k) tail = x + DoubleDouble(0.5 * k) / tail;
  return kInverseSqrtPi / tail;
}

DoubleDouble erfc(DoubleDouble x) noexcept {
  if (!(x.hi >= 1.0)) return 1.0 - erf(x);
  return erfc_over_decay(x) * exp_minus_square(x, 1.0);
}

}  // namespace flowscape::extended
