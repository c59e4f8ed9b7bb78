// One block of runs under way: kLanes small networks, or one network.
//
// A lane's arithmetic uses its own numbers only, and what ends a run is looked for at steps that
// the run's own count decides: a run does not depend on its neighbours, on the batch, on the
// thread that took it or on when.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "flowscape/descent/gradients.hpp"
#include "flowscape/descent/options.hpp"
#include "flowscape/descent/update.hpp"
#include "flowscape/flow/lane_runs.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/lane_norms.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

template <class Gradient>
class DescentLanes {
 public:
  static constexpr int W = Gradient::W;
  using V = Vec<W>;
  using M = Mask<W>;

  DescentLanes(const Objective& objective, const DescentOptions& options,
               const DescentOutput& output, FlowQueue& queue)
      : objective_(objective), options_(options), output_(output), queue_(queue),
        source_(objective, options), parameters_(objective.parameters()),
        epoch_((objective.problem().samples + options.batch_size - 1) / options.batch_size),
        update_(options, parameters_ * W), held_(parameters_ * W), loss_(W), stop_(W),
        rows_(parameters_ * W) {
    for (int l = 0; l < W; ++l) refill(l);
  }
  DescentLanes(const DescentLanes&) = delete;

  bool live() const noexcept { return live_ != 0; }

  /// Steps that all lanes can take before one of them must be looked at; at least 1.
  std::int64_t until_look() const noexcept {
    std::int64_t n = kLookEvery;
    for (int l = 0; l < W; ++l) {
      if (run_[l] < 0) continue;
      const std::int64_t s = steps_[l];
      n = std::min({n, options_.steps - s, kLookEvery - s % kLookEvery});
      if (saved_[l] < options_.times) n = std::min(n, options_.save_at[saved_[l]] - s);
      if (watches_epochs()) n = std::min(n, epoch_ - s % epoch_);
    }
    return n;
  }

  /// One step of all lanes. True if some must not take it: their stop rule is met or their loss is
  /// not finite. They are held where they were, for `settle`.
  bool step() noexcept {
    double* const theta = update_.theta();
    source_.evaluate(live_, theta, loss_.data(), update_.gradient());
    const V loss = load<V>(loss_.data());
    halted_ = (loss <= load<V>(stop_.data())) | ~(loss <= std::numeric_limits<double>::max());
    if (!Gradient::batches && options_.gtol >= 0.0)
      halted_ |= infinity_norm<V>(update_.gradient(), parameters_ * W) <=
                 broadcast<V>(options_.gtol);
    const bool halted = any(halted_);
    if (halted) [[unlikely]] std::copy_n(theta, parameters_ * W, held_.data());
    update_.step();
    return halted;
  }

  /// After `count` steps, of which only the last can have been refused: ends runs, saves what is
  /// asked and refills lanes.
  void settle(std::int64_t count) noexcept {
    for (int l = 0; l < W; ++l) {
      if (run_[l] < 0) continue;
      steps_[l] += count;
      if (halted_[l]) {
        --steps_[l];
        finish(l, held_.data(), std::isfinite(loss_.data()[l]) ? Status::converged
                                                               : Status::nonfinite);
        refill(l);
      } else {
        while (run_[l] >= 0 && look(l)) refill(l);
      }
    }
    halted_ = M{};
  }

  /// Ends all runs that are under way.
  void interrupt() noexcept {
    for (int l = 0; l < W; ++l)
      if (run_[l] >= 0) finish(l, update_.theta(), Status::interrupted);
  }

 private:
  bool watches_epochs() const noexcept {
    return Gradient::batches && (options_.stop_loss >= 0.0 || options_.gtol >= 0.0);
  }

  /// Largest |parameter| of lane l; NaN if one is NaN.
  double extent(int l) const noexcept {
    double size = 0.0;
    for (std::int64_t p = 0; p < parameters_; ++p) {
      const double value = std::abs(update_.theta()[p * W + l]);
      if (!(value <= size)) size = value;
      if (std::isnan(value)) return value;
    }
    return size;
  }

  /// Loads the next run that has a step to take; an idle lane holds zeros, which never move.
  void refill(int l) noexcept {
    do {
      const std::int64_t b = queue_.next.fetch_add(1, std::memory_order_relaxed);
      const bool found = b < queue_.count;
      run_[l] = found ? b : -1;
      steps_[l] = saved_[l] = 0;
      extent_[l] = std::numeric_limits<double>::infinity();
      update_.begin(l, found ? queue_.theta0 + b * parameters_ : nullptr,
                    found ? options_.learning_rate[b] : 0.0);
      stop_.data()[l] = found && !Gradient::batches ? options_.stop_loss : -1.0;
      live_ = (live_ & ~(std::int64_t{1} << l)) | (std::int64_t{found} << l);
      if (found) source_.begin(l, options_.streams[b]);
    } while (run_[l] >= 0 && look(l));
  }

  /// Saves lane l if asked for its present step; ends the run, and returns true, if it is over.
  bool look(int l) noexcept {
    const std::int64_t s = steps_[l];
    save(l, s, update_.theta());
    if (s % kLookEvery == 0 || s == options_.steps) {
      const double size = extent(l);
      const bool grew = size > extent_[l];
      extent_[l] = size;
      if (!std::isfinite(size)) return finish(l, update_.theta(), Status::nonfinite);
      if (grew && size >= options_.escape) return finish(l, update_.theta(), Status::escaped);
    }
    if (watches_epochs() && (s % epoch_ == 0 || s == options_.steps) && stationary(l))
      return finish(l, update_.theta(), Status::converged);
    if (s < options_.steps) return false;
    return finish(l, update_.theta(), Status::step_limit);
  }

  /// Whether a stop rule is met by the loss of all samples.
  bool stationary(int l) noexcept {
    double loss = 0.0, slope = 0.0;
    double *const row = rows_.data(), *const gradient = held_.data();
    for (std::int64_t p = 0; p < parameters_; ++p) row[p] = update_.theta()[p * W + l];
    objective_.evaluate(1, 1, row, &loss, gradient, nullptr, 1);
    for (std::int64_t p = 0; p < parameters_; ++p)
      slope = std::isnan(gradient[p]) ? INFINITY : std::max(slope, std::abs(gradient[p]));
    return loss <= options_.stop_loss || slope <= options_.gtol;
  }

  void save(int l, std::int64_t end, const double* theta) noexcept {
    for (; saved_[l] < options_.times && options_.save_at[saved_[l]] <= end; ++saved_[l]) {
      double* const out = output_.saved + (run_[l] * options_.times + saved_[l]) * parameters_;
      for (std::int64_t p = 0; p < parameters_; ++p) out[p] = theta[p * W + l];
    }
  }

  /// Reports the run of lane l, which ended at `theta`. A run that has converged stays there: its
  /// later points are its end.
  bool finish(int l, const double* theta, Status status) noexcept {
    const std::int64_t b = run_[l];
    if (status == Status::converged) save(l, options_.steps, theta);
    for (std::int64_t p = 0; p < parameters_; ++p)
      output_.theta[b * parameters_ + p] = theta[p * W + l];
    output_.steps[b] = steps_[l];
    output_.status[b] = static_cast<std::int8_t>(status);
    run_[l] = -1;
    live_ &= ~(std::int64_t{1} << l);
    queue_.finished.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  const Objective& objective_;
  const DescentOptions& options_;
  const DescentOutput& output_;
  FlowQueue& queue_;
  Gradient source_;
  std::int64_t parameters_, epoch_;  // epoch: steps
  DescentUpdate<W> update_;
  AlignedBuffer held_, loss_, stop_, rows_;
  M halted_{};
  std::int64_t live_ = 0;  // bit l: lane l holds a run
  std::int64_t run_[W]{}, steps_[W]{}, saved_[W]{};
  double extent_[W]{};
};

}  // namespace flowscape
