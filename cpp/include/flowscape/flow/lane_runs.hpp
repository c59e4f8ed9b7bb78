// Which run each lane holds: taken from a queue, counted while it lasts, reported when it ends.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "flowscape/flow/options.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Runs still to be started; shared by the threads.
struct FlowQueue {
  FlowQueue(std::int64_t runs, const double* theta, std::atomic<std::int64_t>& done,
            const std::atomic<bool>* stop_)
      : count(runs), theta0(theta), finished(done), stop(stop_) {}

  std::int64_t count;
  const double* theta0;  ///< [B][P]
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t>& finished;
  const std::atomic<bool>* stop;
};

/// Points are blocks [parameter][lane].
template <int W>
class LaneRuns {
 public:
  LaneRuns(std::int64_t parameters, const FlowOptions& options, const FlowOutput& output,
           FlowQueue& queue)
      : parameters_(parameters), options_(options), output_(output), queue_(queue) {}

  bool busy(int l) const noexcept { return run[l] >= 0; }
  Mask<W> busy() const noexcept { return run >= 0; }
  std::int64_t live() const noexcept { return live_; }
  bool stopping() const noexcept { return queue_.stop->load(std::memory_order_relaxed); }

  /// Loads the start of the next run into lane l of y; false, and a zero there, if there is none.
  bool take(int l, double* y) noexcept {
    const std::int64_t b = queue_.next.fetch_add(1, std::memory_order_relaxed);
    const bool found = b < queue_.count;
    run[l] = found ? b : -1;
    for (std::int64_t p = 0; p < parameters_; ++p)
      y[p * W + l] = found ? queue_.theta0[b * parameters_ + p] : 0.0;
    steps[l] = rejected[l] = gradients[l] = hessians[l] = saved_[l] = 0;
    live_ += found;
    return found;
  }

  /// Stores the asked times up to `end` of lane l; point(time, p) is the flow there.
  template <class Point>
  void save(int l, double end, Point&& point) noexcept {
    for (; saved_[l] < options_.times && options_.save_at[saved_[l]] <= end; ++saved_[l]) {
      double* const out = output_.saved + (run[l] * options_.times + saved_[l]) * parameters_;
      for (std::int64_t p = 0; p < parameters_; ++p)
        out[p] = point(options_.save_at[saved_[l]], p);
    }
  }

  /// Reports the run of lane l, which ended at `point` as `ending` says, and frees the lane.
  void finish(int l, const double* point, double t, double loss, double gradient_norm,
              double floor) noexcept {
    const std::int64_t b = run[l];
    for (std::int64_t p = 0; p < parameters_; ++p)
      output_.theta[b * parameters_ + p] = point[p * W + l];
    // A flow that has converged stays where it is: its later times are its limit.
    if (ending[l] == Status::converged && options_.times > 0)
      save(l, options_.save_at[options_.times - 1],
           [&](double, std::int64_t p) { return point[p * W + l]; });
    output_.t[b] = t;
    output_.loss[b] = loss;
    output_.gradient_norm[b] = gradient_norm;
    output_.floor[b] = floor;
    output_.steps[b] = steps[l];
    output_.rejected[b] = rejected[l];
    output_.gradients[b] = gradients[l];
    output_.hessians[b] = hessians[l];
    output_.status[b] = static_cast<std::int8_t>(ending[l]);
    run[l] = -1;
    --live_;
    queue_.finished.fetch_add(1, std::memory_order_relaxed);
  }

  Mask<W> run{};  ///< index of the run, -1 where the lane is idle
  Mask<W> steps{}, rejected{}, gradients{}, hessians{};  ///< counts
  Status ending[W]{};

 private:
  std::int64_t parameters_;
  const FlowOptions& options_;
  const FlowOutput& output_;
  FlowQueue& queue_;
  std::int64_t saved_[W]{};
  std::int64_t live_ = 0;
};

}  // namespace flowscape
