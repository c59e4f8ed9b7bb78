// The update rules, lane by lane; written without fma, so that a plain loop in NumPy over the same
// gradients gives the same bits (Adam: up to the bias corrections).
#pragma once

#include <cstdint>

#include "flowscape/descent/options.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Parameters, gradient and memory of a block [parameter][lane]; W is kLanes or 1. The arrays are
/// padded to whole native vectors, with zeros that stay zero.
template <int W>
class DescentUpdate {
 public:
  DescentUpdate(const DescentOptions& options, std::int64_t size)
      : options_(options), size_((size + kLanes - 1) / kLanes * kLanes), theta_(size_),
        gradient_(size_), first_(options.rule == DescentRule::gradient_descent ? 0 : size_),
        second_(options.rule == DescentRule::adam ? size_ : 0), parameters_(size / W) {}

  double* theta() noexcept { return theta_.data(); }
  const double* theta() const noexcept { return theta_.data(); }
  double* gradient() noexcept { return gradient_.data(); }
  const double* gradient() const noexcept { return gradient_.data(); }

  /// Lane l starts at `start` [P], or is idle at zero if that is null.
  void begin(int l, const double* start, double rate) noexcept {
    for (std::int64_t p = 0; p < parameters_; ++p) {
      const std::int64_t i = p * W + l;
      theta_.data()[i] = start ? start[p] : 0.0;
      if (first_.size() > 0) first_.data()[i] = 0.0;
      if (second_.size() > 0) second_.data()[i] = 0.0;
    }
    for (int i = W == 1 ? 0 : l; i < (W == 1 ? kLanes : l + 1); ++i) {
      rate_[i] = rate;
      power1_[i] = power2_[i] = 1.0;
    }
  }

  void step() noexcept {
    switch (options_.rule) {
      case DescentRule::gradient_descent: return descend();
      case DescentRule::momentum: return descend_with_momentum<false>();
      case DescentRule::nesterov: return descend_with_momentum<true>();
      case DescentRule::adam: return adapt();
    }
  }

 private:
  void descend() noexcept {
    const Native rate = load<Native>(rate_);
    for (std::int64_t i = 0; i < size_; i += kLanes)
      move(i, rate * load<Native>(gradient_.data() + i));
  }

  /// v <- mu v + g, theta <- theta - rate v (heavy ball) or theta - rate (g + mu v) (Nesterov's
  /// method in the variables in which the gradient is taken at theta itself).
  template <bool ahead>
  void descend_with_momentum() noexcept {
    const Native rate = load<Native>(rate_), mu = broadcast<Native>(options_.momentum);
    for (std::int64_t i = 0; i < size_; i += kLanes) {
      const Native g = load<Native>(gradient_.data() + i);
      const Native v = mu * load<Native>(first_.data() + i) + g;
      store(first_.data() + i, v);
      move(i, rate * (ahead ? g + mu * v : v));
    }
  }

  /// Kingma and Ba 2015, algorithm 1.
  void adapt() noexcept {
    const Native rate = load<Native>(rate_), epsilon = broadcast<Native>(options_.epsilon);
    const double beta1 = options_.beta1, beta2 = options_.beta2;
    const Native power1 = beta1 * load<Native>(power1_), power2 = beta2 * load<Native>(power2_);
    const Native correction1 = 1.0 / (1.0 - power1), correction2 = 1.0 / (1.0 - power2);
    store(power1_, power1);
    store(power2_, power2);
    for (std::int64_t i = 0; i < size_; i += kLanes) {
      const Native g = load<Native>(gradient_.data() + i);
      const Native m = beta1 * load<Native>(first_.data() + i) + (1.0 - beta1) * g;
      const Native v = beta2 * load<Native>(second_.data() + i) + (1.0 - beta2) * (g * g);
      store(first_.data() + i, m);
      store(second_.data() + i, v);
      move(i, rate * (m * correction1) / (sqrt(v * correction2) + epsilon));
    }
  }

  FLOWSCAPE_INLINE void move(std::int64_t i, Native change) noexcept {
    store(theta_.data() + i, load<Native>(theta_.data() + i) - change);
  }

  const DescentOptions& options_;
  std::int64_t size_;
  AlignedBuffer theta_, gradient_, first_, second_;
  std::int64_t parameters_;
  alignas(64) double rate_[kLanes]{};
  alignas(64) double power1_[kLanes]{};
  alignas(64) double power2_[kLanes]{};
};

}  // namespace flowscape
