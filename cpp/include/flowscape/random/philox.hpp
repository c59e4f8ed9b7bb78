// Counter-based random numbers: Philox4x64-10 (Salmon, Moraes, Dror and Shaw, SC 2011).
//
// Run b of a stream reads counters (j, b, 0, 0), j = 1, 2, ...: the same numbers in any batch, and
// those of numpy.random.Philox(counter=[0, b, 0, 0], key=key), which the tests compare.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace flowscape {

class Philox {
 public:
  Philox(std::uint64_t key0, std::uint64_t key1, std::uint64_t run) noexcept
      : key_{key0, key1}, counter_{0, run, 0, 0} {}

  std::uint64_t next() noexcept {
    if (used_ == 4) {
      ++counter_[0];
      block_ = cipher(counter_, key_);
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in (0, 1): the middle of one of 2^53 equal cells.
  double uniform() noexcept {
    return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53;
  }

  /// Standard normal: both values of one Box-Muller pair, in turn.
  double normal() noexcept {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  using Block = std::array<std::uint64_t, 4>;

  static Block cipher(Block c, std::array<std::uint64_t, 2> key) noexcept {
    for (int round = 0; round < 10; ++round) {
      const unsigned __int128 a = static_cast<unsigned __int128>(0xD2E7470EE14C6C93ULL) * c[0];
      const unsigned __int128 b = static_cast<unsigned __int128>(0xCA5A826395121157ULL) * c[2];
      c = {static_cast<std::uint64_t>(b >> 64) ^ c[1] ^ key[0], static_cast<std::uint64_t>(b),
           static_cast<std::uint64_t>(a >> 64) ^ c[3] ^ key[1], static_cast<std::uint64_t>(a)};
      key[0] += 0x9E3779B97F4A7C15ULL;
      key[1] += 0xBB67AE8584CAA73BULL;
    }
    return c;
  }

  std::array<std::uint64_t, 2> key_;
  Block counter_, block_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0.0;
};

}  // namespace flowscape
