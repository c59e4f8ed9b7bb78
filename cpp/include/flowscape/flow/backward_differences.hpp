// Backward differences of a flow at constant step, one order and one step per lane: the memory of
// the multistep method of bdf.hpp.
#pragma once

#include <algorithm>
#include <cstdint>

#include "flowscape/flow/ndf.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

template <int W>
class BackwardDifferences {
 public:
  using V = Vec<W>;
  using M = Mask<W>;
  /// Order k uses differences 0 to k; those of k + 1 and k + 2 estimate errors.
  static constexpr int count = Ndf::highest + 3;

  explicit BackwardDifferences(std::int64_t parameters)
      : size_(parameters * W), differences_(count * size_) {}

  /// A run starts at y with slope -gradient: order 1.
  void begin(M fresh, const double* y, const double* gradient) noexcept {
    for (std::int64_t p = 0; p < size_; p += W) {
      put(fresh, at(0) + p, load<V>(y + p));
      put(fresh, at(1) + p, -load<V>(gradient + p));
      for (int j = 2; j < count; ++j) put(fresh, at(j) + p, V{});
    }
    for (int l = 0; l < W; ++l) {
      if (!fresh[l]) continue;
      h_[l] = 1.0;
      order_[l] = 1;
      equal_[l] = 0;
    }
  }

  /// All lanes at one order, from order + 1 points [.][P][W] at distance h, the latest first.
  void begin_at(int order, double h, const double* points) noexcept {
    std::fill_n(order_, W, order);
    h_ = broadcast<V>(h);
    for (int j = 0; j <= order; ++j) std::copy_n(points + j * size_, size_, at(j));
    for (int q = 1; q <= order; ++q)
      for (int j = order; j >= q; --j)
        for (std::int64_t p = 0; p < size_; ++p) at(j)[p] = at(j - 1)[p] - at(j)[p];
  }

  int order(int l) const noexcept { return order_[l]; }
  void set_order(int l, int order) noexcept {
    order_[l] = order;
    equal_[l] = 0;
  }
  /// Accepted steps since step or order last changed.
  std::int64_t equal_steps(int l) const noexcept { return equal_[l]; }
  V step() const noexcept { return h_; }
  double value(int j, std::int64_t index) const noexcept {
    return differences_.data()[j * size_ + index];
  }

  /// Brings every lane to its step h.
  void rescale(V h) noexcept {
    if (!any(h != h_)) return;
    M changed[Ndf::highest + 1]{};  // lanes whose q-th difference changes
    V matrix[Ndf::highest + 1][Ndf::highest + 1]{};
    int highest = 0;
    for (int l = 0; l < W; ++l) {
      if (h[l] == h_[l]) continue;
      double of_lane[Ndf::highest + 1][Ndf::highest + 1];
      Ndf::rescaling(order_[l], h[l] / h_[l], of_lane);
      equal_[l] = 0;
      highest = std::max(highest, order_[l]);
      for (int q = 1; q <= order_[l]; ++q) {
        changed[q][l] = -1;
        for (int j = q; j <= order_[l]; ++j) matrix[j][q][l] = of_lane[j][q];
      }
    }
    for (std::int64_t p = 0; p < size_; p += W)
      for (int q = 1; q <= highest; ++q) {
        V sum{};
        for (int j = q; j <= highest; ++j) sum = fma(matrix[j][q], load<V>(at(j) + p), sum);
        put(changed[q], at(q) + p, sum);
      }
    h_ = h;
  }

  /// The polynomial through the last points one step on, and sum_j gamma_j nabla^j y / h.
  void predict(double* point, double* slope) const noexcept {
    V use[Ndf::highest + 1], gamma[Ndf::highest + 1];
    int highest = 1;
    for (int l = 0; l < W; ++l) {
      highest = std::max(highest, order_[l]);
      for (int j = 1; j <= Ndf::highest; ++j) {
        use[j][l] = j <= order_[l] ? 1.0 : 0.0;
        gamma[j][l] = j <= order_[l] ? Ndf::gamma[j] : 0.0;
      }
    }
    const V inverse = 1.0 / h_;
    for (std::int64_t p = 0; p < size_; p += W) {
      V ahead{}, sum{};
      for (int j = highest; j >= 1; --j) {
        const V d = load<V>(at(j) + p);
        ahead = fma(use[j], d, ahead);
        sum = fma(gamma[j], d, sum);
      }
      store(point + p, load<V>(at(0) + p) + ahead);
      store(slope + p, sum * inverse);
    }
  }

  /// The accepted lanes go to y_new = prediction + d.
  void shift(M accepted, const double* y_new, const double* d) noexcept {
    M below[count]{}, highest[count]{}, above[count]{};
    int top = 0;
    for (int l = 0; l < W; ++l) {
      last_order_[l] = order_[l];
      if (!accepted[l]) continue;
      ++equal_[l];
      for (int j = 0; j <= order_[l]; ++j) below[j][l] = -1;
      highest[order_[l] + 1][l] = above[order_[l] + 2][l] = -1;
      top = std::max(top, order_[l] + 2);
    }
    for (std::int64_t p = 0; p < size_; p += W) {
      const V last = load<V>(d + p);
      V higher{};
      for (int j = top; j > 0; --j) {
        const V old = load<V>(at(j) + p);
        V now = select<V>(below[j], old + higher, old);
        now = select<V>(highest[j], last, now);
        now = select<V>(above[j], last - load<V>(at(j - 1) + p), now);
        store(at(j) + p, now);
        higher = now;
      }
      put(accepted, at(0) + p, load<V>(y_new + p));
    }
  }

  /// Component p of lane l at fraction x of the last step: the polynomial through its end and the
  /// points before, as many as the order it was taken with.
  double interpolate(std::int64_t p, int l, double x) const noexcept {
    double basis = 1.0, sum = value(0, p * W + l);
    for (int j = 1; j <= last_order_[l]; ++j) {
      basis *= (x + j - 2) / j;
      sum = basis * value(j, p * W + l) + sum;
    }
    return sum;
  }

 private:
  FLOWSCAPE_INLINE static void put(M where, double* to, V value) noexcept {
    store(to, select<V>(where, value, load<V>(to)));
  }
  double* at(int j) noexcept { return differences_.data() + j * size_; }
  const double* at(int j) const noexcept { return differences_.data() + j * size_; }

  std::int64_t size_;
  AlignedBuffer differences_;  ///< [j][P][W]
  V h_{};
  int order_[W]{}, last_order_[W]{};
  std::int64_t equal_[W]{};
};

}  // namespace flowscape
