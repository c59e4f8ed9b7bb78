// Which samples a step sees: indices from the Philox stream of the run.
//
// A raw number u of the stream gives an index below n as floor(u n / 2^64); its bias is n / 2^64.
// shuffled: every epoch starts from 0, ..., N-1, exchanges entry i with entry index(i + 1) for
// i = N-1, ..., 1 (Fisher and Yates) and deals the result out in batches, the last of which may be
// shorter. iid: batch_size independent indices below N a step.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "flowscape/descent/options.hpp"
#include "flowscape/random/philox.hpp"

namespace flowscape {

class SampleStream {
 public:
  SampleStream(Sampling sampling, std::int64_t samples, std::int64_t batch_size)
      : sampling_(sampling), batch_size_(batch_size), order_(samples), batch_(batch_size) {}

  /// From the start of a stream.
  void begin(std::uint64_t key0, std::uint64_t key1, std::uint64_t run) noexcept {
    stream_ = Philox(key0, key1, run);
    dealt_ = size();
  }

  /// Indices of the next step and their number, at most batch_size.
  std::pair<const std::int64_t*, std::int64_t> next() noexcept {
    if (sampling_ == Sampling::iid) {
      for (std::int64_t& i : batch_) i = index(size());
      return {batch_.data(), batch_size_};
    }
    if (dealt_ == size()) shuffle();
    const std::int64_t first = dealt_, count = std::min(batch_size_, size() - first);
    dealt_ += count;
    return {order_.data() + first, count};
  }

 private:
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(order_.size()); }
  std::int64_t index(std::int64_t n) noexcept {
    const auto product = static_cast<unsigned __int128>(stream_.next()) * static_cast<std::uint64_t>(n);
    return static_cast<std::int64_t>(product >> 64);
  }
  void shuffle() noexcept {
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    for (std::int64_t i = size() - 1; i > 0; --i) std::swap(order_[i], order_[index(i + 1)]);
    dealt_ = 0;
  }

  Sampling sampling_;
  std::int64_t batch_size_, dealt_ = 0;
  std::vector<std::int64_t> order_, batch_;
  Philox stream_{0, 0, 0};
};

}  // namespace flowscape
