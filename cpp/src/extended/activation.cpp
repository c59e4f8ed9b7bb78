#include "flowscape/extended/activation.hpp"

#include <algorithm>

#include "flowscape/extended/constants.hpp"
#include "flowscape/extended/elementary.hpp"

namespace flowscape::extended {
namespace {

using Number = DoubleDouble;

constexpr double kNormalEnd = 40.0;  // beyond it exp(-z^2/2) underflows

Number square(Number x) noexcept { return x * x; }
Number positive_part(Number z) noexcept { return z.hi > 0.0 ? z : Number(0.0); }

/// What sigmoid, softplus and silu share, from exp(-|z|).
struct Logistic {
  Number decay, value, slope, bend;

  explicit Logistic(Number z) noexcept {
    decay = exp(-abs(z));
    const Number inverse = 1.0 / (1.0 + decay);
    value = z.hi < 0.0 ? decay * inverse : inverse;
    slope = decay * square(inverse);
    const Number half_tanh = expm1(-abs(z)) * inverse;  // -tanh(|z|/2)
    bend = slope * (z.hi < 0.0 ? -half_tanh : half_tanh);
  }
};

/// The normal distribution: function (relatively accurate in both tails) and density.
struct Normal {
  Number value, density;

  explicit Normal(Number z) noexcept {
    const Number y = abs(z) * kSqrtHalf, decay = exp_minus_square(z, 0.5);
    // y is rounded: the decay must come from z itself
    const Number tail = scaled(y.hi < 1.0 ? erfc(y) : erfc_over_decay(y) * decay, -1);
    value = z.hi < 0.0 ? tail : 1.0 - tail;
    density = kInverseSqrt2Pi * decay;
  }
};

Jet rational(Number z) noexcept {
  if (std::abs(z.hi) <= 1.0) {
    const Number base = 1.0 + square(z);
    return {z / base, (1.0 - z) * (1.0 + z) / square(base),
            scaled(z, 1) * (square(z) - 3.0) / (base * square(base))};
  }
  // in w = 1/z, so that no power of z overflows
  const Number w = 1.0 / z, base = 1.0 + square(w), w2 = square(w);
  return {w / base, w2 * (w - 1.0) * (w + 1.0) / square(base),
          scaled(w * w2, 1) * (1.0 - 3.0 * w2) / (base * square(base))};
}

Jet hyperbolic_sine(Number z) noexcept {
  const Number e = expm1(abs(z)), inverse = e / (1.0 + e);
  const Number sine = scaled(e + inverse, -1), cosine = scaled(1.0 + e + 1.0 / (1.0 + e), -1);
  const Number s = z.hi < 0.0 ? -sine : sine;
  return {s, cosine, s};
}

Jet polynomial(const std::vector<double>& c, Number z) noexcept {
  Jet p;
  for (std::size_t k = c.size(); k-- > 0;) {
    p.second = p.second * z + scaled(p.first, 1);
    p.first = p.first * z + p.value;
    p.value = p.value * z + c[k];
  }
  return p;
}

Jet absolute_polynomial(std::vector<double> c, Number z) noexcept {
  for (double& x : c) x = std::abs(x);
  return polynomial(c, abs(z));
}

}  // namespace

Jet sigma(Sigma name, Number z) noexcept {
  switch (name) {
    case Sigma::tanh: {
      const Number t = tanh(z), decay = exp(scaled(-abs(z), 1));
      const Number slope = scaled(decay / square(1.0 + decay), 2);
      return {t, slope, scaled(-t * slope, 1)};
    }
    case Sigma::sigmoid: {
      const Logistic l(z);
      return {l.value, l.slope, l.bend};
    }
    case Sigma::softplus: {
      const Logistic l(z);
      return {positive_part(z) + log1p(l.decay), l.value, l.slope};
    }
    case Sigma::silu: {
      const Logistic l(z);
      return {z * l.value, l.value + z * l.slope, scaled(l.slope, 1) + z * l.bend};
    }
    case Sigma::erf: {
      const Number slope = scaled(kInverseSqrtPi * exp_minus_square(z, 1.0), 1);
      return {erf(z), slope, scaled(-z * slope, 1)};
    }
    case Sigma::Phi: {
      const Normal n(z);
      return {n.value, n.density, -z * n.density};
    }
    case Sigma::gelu: {
      if (std::abs(z.hi) > kNormalEnd) return {positive_part(z), z.hi > 0.0 ? 1.0 : 0.0, 0.0};
      const Normal n(z);
      return {z * n.value, n.value + z * n.density, n.density * (2.0 - square(z))};
    }
    case Sigma::gauss: {
      if (std::abs(z.hi) > kNormalEnd) return {};
      const Number g = exp_minus_square(z, 1.0);
      return {g, scaled(-z * g, 1), scaled(square(z), 2) * g - scaled(g, 1)};
    }
    case Sigma::sin: {
      const auto [s, c] = sine_cosine(z);
      return {s, c, -s};
    }
    case Sigma::cos: {
      const auto [s, c] = sine_cosine(z);
      return {c, -s, -c};
    }
    case Sigma::arctan: {
      if (std::abs(z.hi) <= 1.0) {
        const Number first = 1.0 / (1.0 + square(z));
        return {atan(z), first, scaled(-z * square(first), 1)};
      }
      const Number w = 1.0 / z, first = square(w) / (1.0 + square(w));
      return {atan(z), first, scaled(-w * first / (1.0 + square(w)), 1)};
    }
    case Sigma::exp: {
      const Number e = exp(z);
      return {e, e, e};
    }
    case Sigma::sinh: return hyperbolic_sine(z);
    case Sigma::rational: return rational(z);
    case Sigma::relu: return z.hi > 0.0 ? Jet{z, 1.0, 0.0} : Jet{};
    case Sigma::leaky_relu: return z.hi > 0.0 ? Jet{z, 1.0, 0.0} : Jet{0.01 * z, 0.01, 0.0};
    case Sigma::polynomial:
    case Sigma::constant: break;
  }
  return {};
}

SummedJet evaluate(const std::vector<Term>& terms, Number z) noexcept {
  SummedJet sum{};
  for (const Term& term : terms) {
    if (term.sigma == Sigma::constant) {
      sum.jet.value += term.c;
      sum.size[0] += std::abs(term.c);
      continue;
    }
    const Number s = term.s, argument = s * z + term.h;
    const bool powers = term.sigma == Sigma::polynomial;
    const Jet f = powers ? polynomial(term.coefficients, argument) : sigma(term.sigma, argument);
    const Jet g = powers ? absolute_polynomial(term.coefficients, argument) : f;
    const Number factor[] = {term.c, term.c * s, term.c * s * s};
    sum.jet.value += factor[0] * f.value;
    sum.jet.first += factor[1] * f.first;
    sum.jet.second += factor[2] * f.second;
    const Number* const sizes[] = {&g.value, &g.first, &g.second};
    for (int order = 0; order < 3; ++order)
      sum.size[order] += std::abs(factor[order].hi * sizes[order]->hi);
  }
  return sum;
}

}  // namespace flowscape::extended
