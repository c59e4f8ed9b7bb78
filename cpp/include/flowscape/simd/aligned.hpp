// A 64-byte aligned array of doubles: allocated once, outside every hot loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace flowscape {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t size) { resize(size); }
  ~AlignedBuffer() { std::free(data_); }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  /// Drops the contents and holds `size` zeros.
  void resize(std::int64_t size) {
    std::free(data_);
    data_ = nullptr;
    const std::size_t bytes = (static_cast<std::size_t>(size) * sizeof(double) + 63) / 64 * 64;
    size_ = size;
    if (bytes == 0) return;
    data_ = static_cast<double*>(std::aligned_alloc(64, bytes));
    if (data_ == nullptr) throw std::bad_alloc();
    fill(0.0);
  }
  void fill(double value) noexcept { std::fill_n(data_, size_, value); }
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  double* data() noexcept { return data_; }
  const double* data() const noexcept { return data_; }
  std::int64_t size() const noexcept { return size_; }

 private:
  double* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace flowscape
