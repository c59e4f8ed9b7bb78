// Sizes of a two-layer network and the place of every parameter (docs/conventions.md).
#pragma once

#include <cstdint>

namespace flowscape {

/// theta = (a_1, w_1, b_1, a_2, ...), then the output biases: neuron-major.
struct Shape {
  std::int64_t width = 1;    ///< m, hidden neurons
  std::int64_t inputs = 1;   ///< d
  std::int64_t outputs = 1;  ///< K
  bool bias = false;         ///< hidden bias: one more feature, constant 1
  bool output_bias = false;

  /// D: components of the incoming vector, the bias included.
  std::int64_t features() const noexcept { return inputs + (bias ? 1 : 0); }
  std::int64_t per_neuron() const noexcept { return outputs + features(); }
  std::int64_t parameters() const noexcept {
    return width * per_neuron() + (output_bias ? outputs : 0);
  }
  std::int64_t outgoing(std::int64_t k) const noexcept { return k * per_neuron(); }
  std::int64_t incoming(std::int64_t k) const noexcept { return k * per_neuron() + outputs; }
  std::int64_t output_biases() const noexcept { return width * per_neuron(); }
};

/// The next multiple of `unit`.
constexpr std::int64_t round_up(std::int64_t n, std::int64_t unit) noexcept {
  return (n + unit - 1) / unit * unit;
}

/// Entries of a lower triangle of order n, and the place of (i, j), j <= i.
constexpr std::int64_t triangle(std::int64_t n) noexcept { return n * (n + 1) / 2; }
constexpr std::int64_t packed(std::int64_t i, std::int64_t j) noexcept {
  return i * (i + 1) / 2 + j;
}

}  // namespace flowscape
