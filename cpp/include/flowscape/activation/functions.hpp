// The activation functions on one vector, for kernels that fuse them with other arithmetic.
//
//   Tanh<V>::template apply<order>(z, f, f1, f2)
//
// sets f = sigma(z), for order >= 1 also f1 = sigma'(z), for order == 2 also f2 = sigma''(z);
// what is not set keeps its value. Infinite arguments give the limits, NaN gives NaN.
//
// A function with a constant kFar is right up to |z| = kFar only, and `mend<order>` sets what it
// left wrong. Several vectors share one look at their sizes, and no branch comes between them.
#pragma once

#include "flowscape/activation/elementary.hpp"
#include "flowscape/simd/level_operations.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

namespace detail {
/// v where z has the sign bit clear, else -v.
template <class V>
FLOWSCAPE_INLINE V flip_with(V v, V z) {
  return from_bits<V>(bits(v) ^ (bits(z) & INT64_MIN));
}
}  // namespace detail

template <class V>
struct Tanh {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const auto h = elementary::half_line(abs(z));
    f = copysign(h.tanh, z);
    if constexpr (order >= 1) f1 = h.slope();
    if constexpr (order >= 2) f2 = -2.0 * f * f1;
  }
};

namespace detail {
/// 1 / (1 + exp(-z)) from l = logistic(-|z|).
template <class V>
FLOWSCAPE_INLINE V sigmoid(V z, const elementary::Logistic<V>& l) {
  return select<V>(z < V{}, l.lower, l.upper);
}
}  // namespace detail

template <class V>
struct Sigmoid {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const auto l = elementary::logistic(minus_abs(z));
    f = detail::sigmoid(z, l);
    if constexpr (order >= 1) f1 = l.slope();
    if constexpr (order >= 2) f2 = detail::flip_with(f1 * l.minus_half_tanh(), z);
  }
};

/// log(1 + exp(z)); its derivatives are sigmoid and sigmoid'.
template <class V>
struct Softplus {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const auto l = elementary::logistic(minus_abs(z));
    f = max(V{}, z) + elementary::log1p(l.decay, l.minus_one);
    if constexpr (order >= 1) f1 = detail::sigmoid(z, l);
    if constexpr (order >= 2) f2 = l.slope();
  }
};

/// z sigmoid(z).
template <class V>
struct Silu {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V y = min(broadcast<V>(760.0), abs(z));  // beyond it z sigmoid(z) is 0 or z
    const auto l = elementary::logistic(-y);
    const MaskOf<V> negative = z < V{};
    // z sigmoid(z) for z > 0, -y e / (1 + e) below, where e's own rounding would cost too much.
    const auto product = elementary::exact_product(y, l.decay);
    const V one = broadcast<V>(1.0);
    const elementary::Sum<V> above{select<V>(negative, -product.high, one),
                                   select<V>(negative, -fma(y, l.low, product.low), V{})};
    const V s = elementary::quotient(above, {l.sum, l.decay - (l.sum - 1.0)}, l.reciprocal);
    f = select<V>(negative, s, z * s);
    const MaskOf<V> underflow = z < broadcast<V>(-700.0);
    if (__builtin_expect(any(underflow), 0))
      f = select<V>(underflow, -elementary::times_decay(y, y), f);
    if constexpr (order >= 1) {
      const V slope = select<V>(negative, l.lower, l.upper);
      const V other = select<V>(negative, l.upper, l.lower);
      f1 = slope * fma(copysign(y, z), other, broadcast<V>(1.0));
    }
    if constexpr (order >= 2)
      f2 = l.slope() * fma(y, l.minus_half_tanh(), broadcast<V>(2.0));
  }
};

template <class V>
struct Erf {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V y = min(broadcast<V>(28.0), abs(z));
    const auto s = elementary::exact_product(y, y);
    const V decayed = elementary::decay<true>(-s.high, -s.low).value;
    f = copysign(elementary::erf_positive(y, decayed), z);
    if constexpr (order >= 1) f1 = 0x1.20dd750429b6dp+0 * decayed;  // 2 / sqrt(pi)
    if constexpr (order >= 2) f2 = -2.0 * copysign(y, z) * f1;
  }
};

namespace detail {
inline constexpr double kInverseSqrt2Pi = 0x1.9884533d43651p-2;
}  // namespace detail

/// The standard normal distribution function; the lower tail is relatively accurate.
template <class V>
struct Phi {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V y = min(broadcast<V>(39.0), abs(z));
    const auto decay = elementary::normal_decay(y);
    const V tail = elementary::normal_tail(y).template exact<false>(y, decay);
    f = select<V>(z < V{}, tail, 1.0 - tail);
    if constexpr (order >= 1) f1 = detail::kInverseSqrt2Pi * decay.value;
    if constexpr (order >= 2) f2 = -copysign(y, z) * f1;
  }
};

/// z Phi(z).
template <class V>
struct Gelu {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V y = min(broadcast<V>(39.0), abs(z));
    const auto decay = elementary::normal_decay(y);
    const auto tail = elementary::normal_tail(y);
    const V missing = tail.template exact<true>(y, decay);  // max(z, 0) - z Phi(z)
    f = max(V{}, z) - missing;
    const V density = detail::kInverseSqrt2Pi * decay.value;
    if constexpr (order >= 1) {
      const V lower = decay.value * tail.rough();
      f1 = fma(copysign(y, z), density, select<V>(z < V{}, lower, 1.0 - lower));
    }
    if constexpr (order >= 2) f2 = density * fma(-y, y, broadcast<V>(2.0));
  }
};

/// exp(-z²).
template <class V>
struct Gauss {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V y = min(broadcast<V>(28.0), abs(z));
    const auto s = elementary::exact_product(y, y);
    f = elementary::decay<true>(-s.high, -s.low).value;
    if constexpr (order >= 1) f1 = -2.0 * copysign(y, z) * f;
    if constexpr (order >= 2) f2 = 4.0 * ((s.high - 0.5) + s.low) * f;
  }
};

template <class V>
struct Exp {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    f = elementary::exp(z);
    if constexpr (order >= 1) f1 = f;
    if constexpr (order >= 2) f2 = f;
  }
};

template <class V>
struct Sinh {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    // Quarters of exp(y) and exp(-y): nothing overflows before the result does.
    const V y = min(broadcast<V>(710.6), abs(z));
    const auto reduced = elementary::reduce_exp<true>(y, V{});
    const V t = elementary::power_of_two(reduced.biased, -2);
    const V rise = fma(t, reduced.tail, t);
    const V fall = 0.0625 / rise;
    const V y2 = y * y;
    const V small = fma(y * y2, elementary::polynomial(y2, elementary::kSinh), y);
    f = copysign(select<V>(y < broadcast<V>(1.0), small, 2.0 * (rise - fall)), z);
    if constexpr (order >= 1) f1 = 2.0 * (rise + fall);
    if constexpr (order >= 2) f2 = f;
  }
};

/// z / (1 + z²).
template <class V>
struct Rational {
  static constexpr double kFar = 0x1p510;  // 1 + z² overflows beyond 2^512

  static FLOWSCAPE_INLINE V denominator(V z) { return fma(z, z, broadcast<V>(1.0)); }
  /// sigma'(z) from q = 1/(1 + z²).
  static FLOWSCAPE_INLINE V slope(V z, V q) { return (fnma(z, z, broadcast<V>(1.0)) * q) * q; }

  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V sum = denominator(z);
    const V q = reciprocal(sum);
    f = kFusedFma ? z * q : z / sum;
    if constexpr (order >= 1) f1 = slope(z, q);
    if constexpr (order >= 2) f2 = (f * fnma(broadcast<V>(4.0), q, broadcast<V>(1.0))) * (q + q);
  }

  /// The quotients are powers of 1/z.
  template <int order>
  static FLOWSCAPE_INLINE void mend(V z, V& f, V& f1, V& f2) {
    const MaskOf<V> far = abs(z) > broadcast<V>(kFar);
    const V q = 1.0 / z;
    f = select<V>(far, q, f);
    if constexpr (order >= 1) f1 = select<V>(far, -q * q, f1);
    if constexpr (order >= 2) f2 = select<V>(far, (q * q) * (q + q), f2);
  }
};

template <class V>
struct Sin {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const auto both = elementary::sine_cosine(z);
    f = both.sine;
    if constexpr (order >= 1) f1 = both.cosine;
    if constexpr (order >= 2) f2 = -both.sine;
  }
};

template <class V>
struct Cos {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const auto both = elementary::sine_cosine(z);
    f = both.cosine;
    if constexpr (order >= 1) f1 = -both.sine;
    if constexpr (order >= 2) f2 = -both.cosine;
  }
};

template <class V>
struct Arctan {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    f = elementary::atan(z);
    if constexpr (order >= 1) f1 = 1.0 / fma(z, z, broadcast<V>(1.0));
    if constexpr (order >= 2) {
      const V finite = copysign(min(broadcast<V>(0x1p600), abs(z)), z);  // inf · 0 is NaN
      f2 = -2.0 * (finite * f1) * f1;
    }
  }
};

namespace detail {
/// `value`, or NaN where z is NaN.
template <class V>
FLOWSCAPE_INLINE V unless_nan(V z, V value) {
  return select<V>(z == z, value, z);
}
}  // namespace detail

/// max(z, 0); both derivatives are 0 at the kink.
template <class V>
struct Relu {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const MaskOf<V> positive = z > V{};
    f = detail::unless_nan(z, select<V>(positive, z, V{}));
    if constexpr (order >= 1)
      f1 = detail::unless_nan(z, select<V>(positive, broadcast<V>(1.0), V{}));
    if constexpr (order >= 2) f2 = detail::unless_nan(z, V{});
  }
};

/// max(z, 0.01 z); at the kink the slope is 0.01 and the second derivative 0.
template <class V>
struct LeakyRelu {
  template <int order>
  static FLOWSCAPE_INLINE void apply(V z, V& f, V& f1, V& f2) {
    const V slope = broadcast<V>(0.01);
    const MaskOf<V> positive = z > V{};
    f = select<V>(positive, z, slope * z);
    if constexpr (order >= 1)
      f1 = detail::unless_nan(z, select<V>(positive, broadcast<V>(1.0), slope));
    if constexpr (order >= 2) f2 = detail::unless_nan(z, V{});
  }
};

}  // namespace flowscape
