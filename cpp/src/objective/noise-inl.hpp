// Rounding-error bounds and the Hessian-vector product: the evaluator's rarer passes.
#pragma once

#include <cmath>
#include <limits>

#include "evaluator-inl.hpp"

namespace flowscape {
namespace {

/// Every bound below is this many units of round-off times a sum of absolute terms. The longest
/// chain behind a term is: dot product, activation (<= 4 ulp), product, sum.
constexpr double kUnits = 8 * std::numeric_limits<double>::epsilon() / 2;

/// A sum over many samples adds roundings of its own: measured 0.26 of the bound without this
/// factor at N = 1e5, 1.7 at 1e6 and 3.6 at 3e6 (samples sorted, all residuals of one sign).
constexpr double kPerSample = 4e-6;

/// At theta = 0 every term of the gradient vanishes, and with it the bound: a critical point there
/// could be approached for ever. A gradient this small, relative to the Hessian, is none.
constexpr double kNowhere = 1e-150;

}  // namespace

// A sum of terms c sigma(s z + h) may cancel: what is rounded are its terms, and s z + h once more.
template <class Layout>
void Evaluator<Layout>::absolute_terms(std::int64_t steps) noexcept {
  const std::int64_t grid = problem_.shape.width * steps, row = grid * kLanes;
  double *const h = absolute_.data(), *const s = h + row, *const q = s + row;
  double *const f = q + row, *const f1 = f + row, *const f2 = f1 + row;
  std::fill_n(h, 3 * row, 0.0);
  for (std::size_t t = 0; t < parts_.size(); ++t) {
    parts_[t].evaluate(2, scratch_.z, f, f1, f2, row);
    const double shift = separate_[t].s != 0.0 ? std::abs(separate_[t].h / separate_[t].s) : 0.0;
    for (std::int64_t n = 0; n < grid; ++n) {
      add_to(h, n, abs(at(f, n)) + shift * abs(at(f1, n)));
      add_to(s, n, abs(at(f1, n)) + shift * abs(at(f2, n)));
      add_to(q, n, (1.0 + shift) * abs(at(f2, n)));
    }
  }
  std::copy_n(h, row, scratch_.h);
  std::copy_n(s, row, scratch_.s);
  std::copy_n(q, row, scratch_.q);
}

// For sample i and output o let rho = |y| + |c| + sum_k |a_ko| (|h_k| + |s_k| |w_k|.|x|): the sum
// of absolute terms behind r, the rounding of the pre-activation included. Then
//   dr <= u rho,  d(W r J) <= u W ((rho + |r|) |J| + |r| |dJ/dz| |w|.|x|).
template <class Layout>
auto Evaluator<Layout>::noise(const double* theta) noexcept -> Noise<networks> {
  const Shape& shape = problem_.shape;
  const std::int64_t P = shape.parameters(), K = shape.outputs, D = shape.features();
  double* const sums = moments_.data();
  std::fill_n(sums, (3 + P) * kLanes, 0.0);
  for_blocks([&](std::int64_t first, std::int64_t steps) {
    forward(2, theta, first, steps);
    const auto x = Layout::features(problem_, first);
    const auto y = Layout::targets(problem_, first);
    const auto weight = Layout::weights(problem_, first);
    const BlockScratch& b = scratch_;
    if (!parts_.empty()) absolute_terms(steps);
    for (std::int64_t k = 0; k < shape.width; ++k)  // |w_k| . |x|, kept where the rows were
      for (std::int64_t i = 0; i < steps; ++i) {
        Native size{};
        for (std::int64_t j = 0; j < D; ++j)
          size += abs(Layout::parameter(theta, shape.incoming(k) + j) * x.get(i, j));
        put(b.rows, k * steps + i, size);
      }
    for (std::int64_t o = 0; o < K; ++o)
      for (std::int64_t i = 0; i < steps; ++i) {
        Native rho = abs(y.get(i, o));
        if (shape.output_bias) rho += abs(Layout::parameter(theta, shape.output_biases() + o));
        for (std::int64_t k = 0; k < shape.width; ++k) {
          const std::int64_t n = k * steps + i;
          const Native a = abs(Layout::parameter(theta, shape.outgoing(k) + o));
          rho += a * (abs(at(b.h, n)) + abs(at(b.s, n)) * at(b.rows, n));
        }
        const Native w = weight.get(i, 0), r = abs(at(b.residual, o * steps + i));
        add_to(sums, 0, w * rho * rho);
        add_to(sums, 1, w * rho * r);
        const Native error = w * (rho + r), carried = w * r;
        Native norm{};  // |J|^2 and the size of the second derivatives of r
        for (std::int64_t k = 0; k < shape.width; ++k) {
          const std::int64_t n = k * steps + i;
          const Native a = abs(Layout::parameter(theta, shape.outgoing(k) + o));
          const Native h = abs(at(b.h, n)), s = abs(at(b.s, n)), q = abs(at(b.q, n));
          const Native z = at(b.rows, n);
          add_to(sums + 3 * kLanes, shape.outgoing(k) + o, error * h + carried * s * z);
          norm += w * h * h;
          Native length{};
          for (std::int64_t j = 0; j < D; ++j) {
            const Native xj = abs(x.get(i, j));
            add_to(sums + 3 * kLanes, shape.incoming(k) + j,
                   (error * a * s + carried * a * q * z) * xj);
            norm += w * a * a * s * s * xj * xj;
            length += xj;
          }
          norm += error * (2.0 * s * length + a * q * length * length);
        }
        if (shape.output_bias) {
          add_to(sums + 3 * kLanes, shape.output_biases() + o, error);
          norm += w;
        }
        add_to(sums, 2, norm);
      }
  });
  reduce(sums, 3 + P, reduced_.data());
  const double* const total = networks == 1 ? reduced_.data() : sums;
  const auto sum = [total](std::int64_t i) { return load<V>(total + i * networks); };
  const double units = kUnits * (1.0 + kPerSample * static_cast<double>(problem_.samples));
  Noise<networks> noise{};
  noise.zero_loss = 0.5 * units * units * sum(0);
  V decay{};
  for (std::int64_t p = 0; p < P && problem_.l2 != 0.0; ++p)
    decay = fma(load<V>(theta + p * networks), load<V>(theta + p * networks), decay);
  noise.loss = units * (sum(1) + 0.5 * problem_.l2 * decay) + noise.zero_loss;
  for (std::int64_t p = 0; p < P; ++p) {
    V bound = units * sum(3 + p);
    if (problem_.l2 != 0.0) bound += units * problem_.l2 * abs(load<V>(theta + p * networks));
    noise.gradient = max(bound, noise.gradient);
  }
  noise.hessian = units * (sum(2) + problem_.l2);
  noise.gradient = max(kNowhere * (sum(2) + problem_.l2), noise.gradient);
  return noise;
}

// With v = (alpha, omega, gamma): dz = omega . x, df = gamma + sum alpha h + a s dz, and
//   (Hv)_a = sum W (df h + r s dz),  (Hv)_w = sum W ((a df + alpha r) s + a r q dz) x.
template <class Layout>
void Evaluator<Layout>::hessian_vector(const double* theta, const double* direction,
                                       double* product) noexcept {
  const Shape& shape = problem_.shape;
  const std::int64_t P = shape.parameters(), K = shape.outputs;
  double* const sums = moments_.data();
  std::fill_n(sums, P * kLanes, 0.0);
  for_blocks([&](std::int64_t first, std::int64_t steps) {
    forward(2, theta, first, steps);
    const BlockScratch& b = scratch_;
    const auto weight = Layout::weights(problem_, first);
    const std::int64_t row = steps * kLanes;
    double* const dz = b.rows;
    with_features(shape.features(), [&]<int D>() {
      affine<Layout, D>(problem_, direction, first, steps, dz);
    });
    double* const change = b.residual;  // W df: the residual itself is no longer needed
    for (std::int64_t o = 0; o < K; ++o)
      for (std::int64_t i = 0; i < steps; ++i) {
        Native df = shape.output_bias ? Layout::parameter(direction, shape.output_biases() + o)
                                      : Native{};
        for (std::int64_t k = 0; k < shape.width; ++k) {
          const std::int64_t n = k * steps + i, a = shape.outgoing(k) + o;
          df = fma(Layout::parameter(direction, a), at(b.h, n), df);
          df = fma(Layout::parameter(theta, a) * at(b.s, n), at(dz, n), df);
        }
        put(change, o * steps + i, weight.get(i, 0) * df);
        if (shape.output_bias)
          add_to(sums, shape.output_biases() + o, at(change, o * steps + i));
      }
    for (std::int64_t k = 0; k < shape.width; ++k) {
      double* const t = b.z + k * row;
      for (std::int64_t i = 0; i < steps; ++i) {
        const std::int64_t n = k * steps + i;
        const Native h = at(b.h, n), s = at(b.s, n), sdz = s * at(dz, n);
        const Native qdz = at(b.q, n) * at(dz, n);
        Native incoming{};
        for (std::int64_t o = 0; o < K; ++o) {
          const std::int64_t a = shape.outgoing(k) + o;
          const Native df = at(change, o * steps + i), wr = at(b.weighted, o * steps + i);
          add_to(sums, a, fma(df, h, wr * sdz));
          incoming = fma(Layout::parameter(theta, a), fma(df, s, wr * qdz), incoming);
          incoming = fma(Layout::parameter(direction, a) * wr, s, incoming);
        }
        put(t, i, incoming);
      }
      with_features(shape.features(), [&]<int D>() {
        add_first<Layout, D>(problem_, first, steps, t, sums + shape.incoming(k) * kLanes);
      });
    }
  });
  reduce(sums, P, reduced_.data());
  const double* const total = networks == 1 ? reduced_.data() : sums;
  for (std::int64_t p = 0; p < P; ++p) {
    V entry = load<V>(total + p * networks);
    if (problem_.l2 != 0.0)
      entry = fma(broadcast<V>(problem_.l2), load<V>(direction + p * networks), entry);
    store(product + p * networks, entry);
  }
}

template <class Layout>
void Evaluator<Layout>::residual(const double* theta, double* values, double* jacobian) noexcept
  requires(networks == 1)
{
  const Shape& shape = problem_.shape;
  const std::int64_t P = shape.parameters(), K = shape.outputs, D = shape.features();
  for_blocks([&](std::int64_t first, std::int64_t steps) {
    forward(jacobian ? 1 : 0, theta, first, steps);
    const std::int64_t block = steps * kLanes, begin = first * kLanes;
    const std::int64_t end = std::min(begin + block, problem_.samples);
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t o = 0; o < K; ++o)
        values[i * K + o] = scratch_.residual[o * block + (i - begin)];
    for (std::int64_t i = begin; i < end && jacobian; ++i)
      for (std::int64_t o = 0; o < K; ++o) {
        double* const row = jacobian + (i * K + o) * P;
        std::fill_n(row, P, 0.0);
        for (std::int64_t k = 0; k < shape.width; ++k) {
          const std::int64_t n = k * block + (i - begin);
          row[shape.outgoing(k) + o] = scratch_.h[n];
          const double slope = theta[shape.outgoing(k) + o] * scratch_.s[n];
          for (std::int64_t j = 0; j < D; ++j)
            row[shape.incoming(k) + j] =
                slope * problem_.column_features.data()[j * problem_.padded_samples + i];
        }
        if (shape.output_bias) row[shape.output_biases() + o] = 1.0;
      }
  });
}

template <class Layout>
std::int64_t Evaluator<Layout>::pattern_size() const noexcept {
  return problem_.activation.has_kink()
             ? problem_.shape.width * Layout::steps(problem_) * kLanes *
                   static_cast<std::int64_t>(problem_.activation.terms().size())
             : 0;
}

template <class Layout>
void Evaluator<Layout>::pattern(const double* theta, double* arguments) noexcept {
  for_blocks([&](std::int64_t first, std::int64_t steps) {
    with_features(problem_.shape.features(), [&]<int D>() {
      affine<Layout, D>(problem_, theta, first, steps, scratch_.z);
    });
    for (const Term& term : problem_.activation.terms()) {
      const bool kink = term.sigma == Sigma::relu || term.sigma == Sigma::leaky_relu;
      for (std::int64_t n = 0; n < problem_.shape.width * steps; ++n, arguments += kLanes)
        store(arguments, kink ? term.s * at(scratch_.z, n) + term.h : Native{});
    }
  });
}

template <class V>
MaskOf<V> same_side(V a, V b) noexcept {
  return ((a > 0.0) == (b > 0.0)) & ((a < 0.0) == (b < 0.0));
}

template <class Layout>
auto Evaluator<Layout>::first_crossing(const double* from, const double* to) const noexcept
    -> Vec<networks> {
  const Native never = broadcast<Native>(std::numeric_limits<double>::infinity());
  Native first = never;
  for (std::int64_t i = 0; i < pattern_size(); i += kLanes) {
    const Native a = load<Native>(from + i), b = load<Native>(to + i);
    first = min(first, select<Native>(same_side(a, b), never, a / (a - b)));
  }
  if constexpr (networks == 1) {
    double least = first[0];
    for (int l = 1; l < kLanes; ++l) least = std::min(least, first[l]);
    return Vec<1>{least};
  } else {
    return first;
  }
}

template <class Layout>
auto Evaluator<Layout>::turns_back(const double* from, const double* to, const double* beyond,
                                   Vec<networks> least) const noexcept -> Mask<networks> {
  Mask<kLanes> turns{};
  Native part;
  for (int l = 0; l < kLanes; ++l) part[l] = least[networks == 1 ? 0 : l];
  for (std::int64_t i = 0; i < pattern_size(); i += kLanes) {
    const Native a = load<Native>(from + i), b = load<Native>(to + i);
    const Native there = b - a, back = (b - load<Native>(beyond + i)) * there;
    turns |= ~same_side(a, b) & (back > abs(part * b * there));
  }
  if constexpr (networks == 1)
    return Mask<1>{any(turns) ? std::int64_t{-1} : 0};
  else
    return turns;
}

}  // namespace flowscape
