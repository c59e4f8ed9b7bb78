// Numbers of about 31 digits: the unevaluated sum of two doubles.
//
// Error-free sums and products after Dekker (1971) and Knuth; bounds on the operations below after
// Joldes, Muller and Popescu (2017), with u = 2^-53: sum 3 u^2, product 5 u^2, quotient 10 u^2, where
// nothing overflows and no part falls below 1e-290. Scalar: what is rare need not be fast.
#pragma once

#include <cmath>

namespace flowscape {

struct DoubleDouble {
  double hi = 0.0, lo = 0.0;  ///< |lo| is at most half an ulp of hi

  constexpr DoubleDouble() = default;
  constexpr DoubleDouble(double value) : hi(value) {}  // NOLINT: every double is one
  constexpr DoubleDouble(double high, double low) : hi(high), lo(low) {}
};

/// a + b as rounded sum and error; `quick_two_sum` needs |a| >= |b| or a = 0.
inline DoubleDouble two_sum(double a, double b) noexcept {
  const double sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}
inline DoubleDouble quick_two_sum(double a, double b) noexcept {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

/// a b as rounded product and error: by a fused operation, or from products of halves.
inline DoubleDouble two_product(double a, double b) noexcept {
  const double product = a * b;
#if defined(__FMA__) || defined(__AVX512F__)
  return {product, __builtin_fma(a, b, -product)};
#else
  const auto split = [](double v) {
    const double scaled = 134217729.0 * v;  // 2^27 + 1
    const double high = scaled - (scaled - v);
    return DoubleDouble(high, v - high);
  };
  const DoubleDouble x = split(a), y = split(b);
  return {product, ((x.hi * y.hi - product) + x.hi * y.lo + x.lo * y.hi) + x.lo * y.lo};
#endif
}

inline DoubleDouble operator-(DoubleDouble a) noexcept { return {-a.hi, -a.lo}; }

inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) noexcept {
  const DoubleDouble s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
  const DoubleDouble v = quick_two_sum(s.hi, s.lo + t.hi);
  return quick_two_sum(v.hi, t.lo + v.lo);
}
inline DoubleDouble operator-(DoubleDouble a, DoubleDouble b) noexcept { return a + -b; }

inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) noexcept {
  const DoubleDouble p = two_product(a.hi, b.hi);
  return quick_two_sum(p.hi, p.lo + (a.hi * b.lo + (a.lo * b.hi + a.lo * b.lo)));
}

inline DoubleDouble operator/(DoubleDouble a, DoubleDouble b) noexcept {
  const double first = a.hi / b.hi;
  DoubleDouble rest = a - b * first;
  const double second = rest.hi / b.hi;
  rest = rest - b * second;
  return quick_two_sum(first, second) + rest.hi / b.hi;
}

inline DoubleDouble& operator+=(DoubleDouble& a, DoubleDouble b) noexcept { return a = a + b; }
inline DoubleDouble& operator-=(DoubleDouble& a, DoubleDouble b) noexcept { return a = a - b; }
inline DoubleDouble& operator*=(DoubleDouble& a, DoubleDouble b) noexcept { return a = a * b; }

inline bool operator<(DoubleDouble a, DoubleDouble b) noexcept {
  return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

inline DoubleDouble abs(DoubleDouble a) noexcept { return a.hi < 0.0 ? -a : a; }

/// a 2^k.
inline DoubleDouble scaled(DoubleDouble a, int k) noexcept {
  return {std::ldexp(a.hi, k), std::ldexp(a.lo, k)};
}

inline double to_double(DoubleDouble a) noexcept { return a.hi + a.lo; }

}  // namespace flowscape
