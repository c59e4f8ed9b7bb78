// Many gradient flows at once: lanes filled from a queue, each with its own time and step.
//
// A lane's arithmetic uses its own numbers only, so a run does not depend on its neighbours, on
// the batch, on the thread that took it or on when.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "flowscape/flow/kink_passage.hpp"
#include "flowscape/flow/lane_runs.hpp"
#include "flowscape/flow/options.hpp"
#include "flowscape/flow/step_size.hpp"
#include "flowscape/objective/evaluator.hpp"
#include "flowscape/simd/lane_norms.hpp"
#include "flowscape/simd/level_operations.hpp"

namespace flowscape {

template <class Layout, class Method>
class Integrator {
 public:
  static constexpr int W = Layout::networks;
  using V = Vec<W>;
  using M = Mask<W>;
  /// Has a memory of earlier points and chooses its own steps (bdf.hpp).
  static constexpr bool multistep = requires { Method::highest_order; };
  /// Loss and gradient of an accepted point may come from a model instead of an evaluation.
  static constexpr bool modelling = requires(const Method& method) { method.modelled(); };
  /// Explicit: the step is held below a bound from the Hessian.
  static constexpr bool capped = requires(const double* h) { Method::longest_step(h, 1); };

  Integrator(Evaluator<Layout>& evaluator, const FlowOptions& options, const FlowOutput& output,
             FlowQueue& queue)
      : evaluator_(evaluator), options_(options), parameters_(evaluator.parameters()),
        size_(parameters_ * W), triangle_(triangle(parameters_) * W),
        runs_(parameters_, options, output, queue), method_(parameters_), kinks_(evaluator),
        y_(size_), y_new_(size_), gradient_(size_), gradient_new_(size_), error_(size_),
        correction_(size_), hessian_(triangle_), hessian_new_(triangle_), loss_(W), loss_new_(W) {}

  /// Takes runs from the queue until it is empty and every lane is idle.
  void run() noexcept {
    M fresh{};
    for (int l = 0; l < W; ++l) fresh[l] = refill(l);
    while (runs_.live() > 0) {
      M ended{};
      if (any(fresh)) {
        ended = start(fresh);
      } else {
        slots_ += W;
        busy_ += runs_.live();
        ended = step();
      }
      fresh = replace(ended);
    }
  }

  std::int64_t slots() const noexcept { return slots_; }
  std::int64_t busy() const noexcept { return busy_; }

 private:
  static constexpr double kModelReach = 1e-2;  // rtol up to which corrections are small
  // What a step may leave of the bound on the gradient's rounding error, over its length: about
  // the error itself. From 0.1 on tails are lost in it, below 1e-3 flows stall.
  static constexpr double kNoise = 0.01;
  // Accepted steps between round-off floors and between spectral caps, powers of two.
  static constexpr std::int64_t kFloorAge = multistep ? 32 : 128, kCapAge = 16;

  /// Reports the runs that ended, or all when asked to stop, and refills their lanes.
  M replace(M ended) noexcept {
    M fresh{};
    const bool stopping = runs_.stopping();
    if (!stopping && !any(ended)) return fresh;
    const V slope = steepest(gradient_.data());
    for (int l = 0; l < W; ++l) {
      if (!runs_.busy(l) || !(ended[l] || stopping)) continue;
      if (!ended[l]) runs_.ending[l] = Status::interrupted;
      runs_.finish(l, y_.data(), t_[l], loss_.data()[l], slope[l], floor_[l]);
      if (!stopping) fresh[l] = refill(l);
    }
    return fresh;
  }

  /// Loads the next run into lane l: -1 if there was one, 0 if the queue is empty.
  std::int64_t refill(int l) noexcept {
    const bool found = runs_.take(l, y_.data());
    t_[l] = 0.0;
    h_[l] = 1.0;
    step_size_.begin(l);
    kinks_.begin(l);
    if (found) atol_[l] = options_.atol[runs_.run[l]];
    return found ? -1 : 0;
  }

  /// First evaluation and first step of the lanes just filled; returns those already at an end.
  M start(M fresh) noexcept {
    evaluator_.evaluate(2, y_.data(), loss_new_.data(), gradient_new_.data(), hessian_new_.data());
    take_new(fresh, false);
    if (kinks_.needed()) kinks_.stand(y_.data());
    refresh_floor(fresh);
    if constexpr (capped) refresh_cap(fresh);
    if constexpr (multistep) method_.begin(evaluator_, fresh, y_.data(), gradient_.data());
    V extent{};
    for (std::int64_t p = 0; p < size_; p += W) extent = max(abs(load<V>(y_.data() + p)), extent);
    extent_ = select<V>(fresh, extent, extent_);
    h_ = select<V>(fresh, first_step(), h_);
    const V slope = steepest(gradient_.data());
    M ended{};
    for (int l = 0; l < W; ++l) {
      if (!fresh[l]) continue;
      ++runs_.hessians[l];
      runs_.save(l, 0.0, [&](double, std::int64_t p) { return y_.data()[p * W + l]; });
      const double steepness = slope[l];
      if (!std::isfinite(loss_.data()[l]) || !std::isfinite(steepness))
        runs_.ending[l] = Status::nonfinite;
      else if (steepness <= std::max(options_.gtol, floor_[l]))
        runs_.ending[l] = Status::converged;
      else if (options_.t_max <= 0.0)
        runs_.ending[l] = Status::time_limit;
      else
        continue;
      ended[l] = -1;
    }
    return ended;
  }

  /// A step that moves y by one per cent of its own size, or of the tolerance where that is larger
  /// (Hairer, Norsett and Wanner, section II.4, first guess).
  V first_step() const noexcept {
    V size{}, speed{};
    const V atol = tolerance(extent_), one = broadcast<V>(1.0);
    for (std::int64_t p = 0; p < size_; p += W) {
      const V weight = 1.0 / (atol + options_.rtol * abs(load<V>(y_.data() + p)));
      const V y = load<V>(y_.data() + p) * weight, g = load<V>(gradient_.data() + p) * weight;
      size = fma(y, y, size);
      speed = fma(g, g, speed);
    }
    const V step = 0.01 * sqrt(max(size, one) / max(speed, broadcast<V>(1e-200)));
    return min(step, broadcast<V>(1e100));
  }

  V steepest(const double* gradient) const noexcept { return infinity_norm<V>(gradient, size_); }

  /// One trial step of all lanes; returns those that ended, with their status in `runs_`.
  M step() noexcept {
    V h = min(h_, options_.t_max - t_);
    if constexpr (capped) h = min(h, cap_);
    M straight{};
    if (kinks_.needed()) straight = kinks_.shorten(runs_.busy(), h, y_.data(), gradient_.data());
    M refused;
    if constexpr (multistep) {
      refused = method_.attempt(evaluator_, trial(h));
    } else {
      refused = method_.attempt(evaluator_, y_.data(), gradient_.data(), hessian_.data(), h,
                                y_new_.data(), error_.data());
      method_.evaluate_new(evaluator_, y_.data(), y_new_.data(), loss_new_.data(),
                           gradient_new_.data(), hessian_new_.data(), correction_.data());
      // A quadratic model does not reach across a kink, nor far.
      if (Method::corrects && (kinks_.needed() || options_.rtol > kModelReach)) {
        evaluator_.evaluate(2, y_new_.data(), loss_new_.data(), gradient_new_.data(),
                            hessian_new_.data());
        ++runs_.hessians;
      }
    }
    if (any(straight)) {
      go_straight(straight, h);
      refused &= ~straight;
    }
    constexpr bool checks = Method::corrects;
    V error{}, correction{}, extent{};
    const V atol = step_tolerance(h);
    for (std::int64_t p = 0; p < size_; p += W) {
      const V y = load<V>(y_.data() + p), y_new = load<V>(y_new_.data() + p);
      const V weight = reciprocal(atol + options_.rtol * max(abs(y), abs(y_new)));
      const V e = load<V>(error_.data() + p) * weight;
      error = fma(e, e, error);
      if (checks) {
        const V c = load<V>(correction_.data() + p) * weight;
        correction = fma(c, c, correction);
      }
      extent = max(abs(y_new), extent);
    }
    const V slope = steepest(gradient_new_.data());
    const double mean = 1.0 / static_cast<double>(parameters_);
    V error2 = error * mean;
    if (checks) error2 = max(correction * mean, error2);  // docs/decisions/0006
    const V loss_new = load<V>(loss_new_.data());
    // Neither test is true for a NaN.
    const M finite = (abs(loss_new) <= std::numeric_limits<double>::max()) &
                     (slope <= std::numeric_limits<double>::max()) & (error2 == error2);
    M sound = finite & (error2 <= 1.0) & ~refused;
    // A multistep method has its model of the loss evaluated before a step is refused for it.
    if constexpr (multistep) evaluate_model(finite & ~falls(loss_noise_), slope);
    M down = falls(multistep ? loss_noise_ : V{});
    if (const M risen = sound & ~down & runs_.busy(); any(risen)) {
      refresh_floor(risen);
      down = falls(loss_noise_);
    }
    const M fine = sound & down;
    M accepted = fine, crossing{}, passed{};
    if (kinks_.needed()) {
      kinks_.suspect(runs_.busy() & ~fine, h, y_.data(), gradient_.data());
      crossing = kinks_.crossing(finite & runs_.busy(), y_new_.data());
    }
    if (any(crossing)) {
      const V jump2 = weighted_square<V>(gradient_new_.data(), gradient_.data(), atol,
                                         options_.rtol, y_.data(), y_new_.data(), size_);
      passed = kinks_.passes(crossing, fine, h, t_, sqrt(jump2 * mean));
      accepted &= ~crossing | passed;
    }
    V h_next;
    if constexpr (multistep) {
      accepted &= ~method_.passed_target(trial(h), accepted & ~straight,
                                         steepest(gradient_.data()), slope);
      h_next = method_.advance(trial(h), accepted, finite & ~refused, error2);
    } else {
      h_next = step_size_.next(h, error2, accepted, finite & ~refused);
    }
    M slides{};
    if (const M missed = straight & ~(crossing & fine); any(missed)) {
      kinks_.correct(missed & ~fine, missed & fine);
      h_next = select<V>(missed & ~fine, min(h_next, 0.5 * h), h_next);
    }
    if (any(crossing)) h_next = kinks_.retry(crossing & ~accepted, straight, fine, h, h_next);
    if (any(passed)) {
      const V time = min(extent / max(slope, broadcast<V>(1e-290)), broadcast<V>(1e100));
      slides = kinks_.slides(passed, y_new_.data(), gradient_new_.data(), time);
    }
    const M end = conclude(h, h_next, accepted, slides, finite, extent, slope);
    h_ = h_next;
    if (const M renewed = accepted & (passed | straight) & ~end; any(renewed)) restart(renewed);
    return end;
  }

  /// Steps of length h along the gradient; their error is half the difference to Heun's.
  void go_straight(M straight, V h) noexcept {
    kinks_.go_straight(straight, h, y_.data(), gradient_.data(), y_new_.data());
    evaluator_.evaluate(2, y_new_.data(), loss_new_.data(), gradient_new_.data(),
                        hessian_new_.data());
    runs_.hessians -= straight;
    for (std::int64_t p = 0; p < size_; p += W) {
      const V bend = load<V>(gradient_new_.data() + p) - load<V>(gradient_.data() + p);
      store(error_.data() + p, select<V>(straight, 0.5 * h * bend, load<V>(error_.data() + p)));
      store(correction_.data() + p, select<V>(straight, V{}, load<V>(correction_.data() + p)));
    }
  }

  /// The lanes of `passed` stand behind a kink: what was known of their flow holds no longer.
  void restart(M passed) noexcept {
    const V before = kinks_.resume(passed);
    if constexpr (multistep) {
      method_.begin(evaluator_, passed, y_.data(), gradient_.data());
      h_ = select<V>(passed, first_step(), h_);
    } else {
      h_ = select<V>(passed, max(before, h_), h_);
    }
    if constexpr (capped) refresh_cap(passed);
  }

  /// Lanes whose loss does not rise by more than rtol of itself and `noise`.
  M falls(V noise) const noexcept {
    const V loss = load<V>(loss_.data());
    return load<V>(loss_new_.data()) <= loss + options_.rtol * abs(loss) + noise;
  }

  /// The absolute tolerance, never more than the larger of both tolerances times the largest
  /// parameter: the direction in which a flow leaves the origin decides where it goes.
  V tolerance(V extent) const noexcept {
    const V relative = max(atol_, broadcast<V>(options_.rtol)) * extent;
    return select<V>(extent > 1e-290, min(atol_, relative), atol_);
  }

  /// The same for a step of length h, plus a part of what the gradient's rounding error may do in
  /// it, because no shorter step does less: a parameter that goes to zero would else stall the flow.
  /// That part is never more than a tenth of rtol times the largest parameter.
  V step_tolerance(V h) const noexcept {
    const V noise = (kNoise * min(h, broadcast<V>(1e290))) * floor_;
    return tolerance(extent_) + min(noise, (0.1 * options_.rtol) * extent_);
  }

  /// What a multistep method reads and writes in a step of length h.
  auto trial(V h) noexcept {
    return typename Method::Trial{
        runs_.busy(), h, step_tolerance(h), options_.rtol,
        0.1 * (options_.rtol * abs(load<V>(loss_.data())) + loss_noise_),
        max(broadcast<V>(options_.gtol), floor_), floor_,
        y_.data(), y_new_.data(), loss_new_.data(), gradient_new_.data(), error_.data(),
        hessian_.data(), hessian_new_.data(), runs_.gradients, runs_.hessians};
  }

  /// Moves the accepted lanes, then looks for the reasons to end a run.
  M conclude(V h, V h_next, M accepted, M slides, M finite, V extent, V slope) noexcept {
    const V t_old = t_;
    const V left = options_.t_max - t_;
    t_ = select<V>(accepted, select<V>(h < left, t_ + h, broadcast<V>(options_.t_max)), t_);
    if (options_.times > 0)
      for (int l = 0; l < W; ++l)
        if (accepted[l] && runs_.busy(l)) save(l, t_old[l], h[l], t_[l]);
    take_new(accepted, true);
    const M busy = runs_.busy(), moved = accepted & busy;
    runs_.gradients += busy & Method::gradients_per_step;
    if (Method::needs_hessian) runs_.hessians -= busy;
    runs_.steps -= moved;
    runs_.rejected -= busy & ~accepted;
    // Before a run may end at the floor, the floor is computed at that very point.
    const M due = moved & (((runs_.steps & (kFloorAge - 1)) == 0) | (slope <= 4.0 * floor_));
    [[maybe_unused]] const M stale = moved & ((runs_.steps & (kCapAge - 1)) == 0);
    if (any(due)) refresh_floor(due);
    if constexpr (capped)
      if (any(stale)) refresh_cap(stale);
    if (kinks_.needed()) kinks_.stand(y_.data());

    const V target = max(broadcast<V>(options_.gtol), floor_);
    const M exact = accepted & (slope <= target);
    if constexpr (modelling) slope = evaluate_model(exact, slope);
    const M settled = moved & (slope <= target);
    const M away = moved & (extent >= options_.escape) & (extent > extent_);
    const M late = moved & (t_ >= options_.t_max);
    const M stuck = busy & ~accepted & ~((t_ + h_next > t_) & (h_next >= 1e-290));
    const M spent = busy & (runs_.steps + runs_.rejected >= options_.max_steps);
    const M ended = settled | slides | away | late | stuck | spent;
    extent_ = select<V>(moved, extent, extent_);
    if (!any(ended)) return ended;
    for (int l = 0; l < W; ++l) {
      if (!ended[l]) continue;
      Status& status = runs_.ending[l];
      if (settled[l]) status = Status::converged;
      else if (slides[l]) status = Status::kink;
      else if (away[l]) status = Status::escaped;
      else if (late[l]) status = std::isfinite(t_[l]) ? Status::time_limit : Status::step_limit;
      else if (stuck[l])
        status = finite[l] && !(t_[l] + h_next[l] > t_[l]) ? Status::step_too_small
                                                           : Status::nonfinite;
      else status = Status::step_limit;
    }
    if constexpr (modelling) evaluate_model(ended & ~exact, slope);
    if (any(ended & ~due)) refresh_floor(ended & ~due);
    return ended;
  }

  /// Puts loss and gradient at y where the method's model stood for them, in the lanes of `due`;
  /// returns the gradients' norms.
  V evaluate_model(M due, V slope) noexcept {
    due &= method_.modelled();
    if (!any(due)) return slope;
    double *const loss = hessian_new_.data(), *const gradient = correction_.data();  // idle here
    evaluator_.evaluate(1, y_.data(), loss, gradient, nullptr);
    for (std::int64_t p = 0; p < size_; p += W)
      store(gradient_.data() + p,
            select<V>(due, load<V>(gradient + p), load<V>(gradient_.data() + p)));
    store(loss_.data(), select<V>(due, load<V>(loss), load<V>(loss_.data())));
    runs_.gradients -= due;
    method_.evaluated(due);
    return select<V>(due, steepest(gradient_.data()), slope);
  }

  /// The new point becomes the present one in the lanes of `take`.
  void take_new(M take, bool with_point) noexcept {
    const bool all = !any(~take);
    const auto blend = [&](AlignedBuffer& to, AlignedBuffer& from) {
      if (all) return to.swap(from);
      for (std::int64_t i = 0; i < to.size(); i += W)
        store(to.data() + i,
              select<V>(take, load<V>(from.data() + i), load<V>(to.data() + i)));
    };
    if (with_point) blend(y_, y_new_);
    blend(gradient_, gradient_new_);
    if (Method::needs_hessian || !with_point) blend(hessian_, hessian_new_);
    blend(loss_, loss_new_);
  }

  void refresh_floor(M due) noexcept {
    const Noise<W> noise = evaluator_.noise(y_.data());
    floor_ = select<V>(due, noise.gradient, floor_);
    loss_noise_ = select<V>(due, noise.loss, loss_noise_);
  }

  void refresh_cap(M due) noexcept {
    evaluator_.evaluate(2, y_.data(), loss_new_.data(), gradient_new_.data(), hessian_.data());
    cap_ = select<V>(due, Method::longest_step(hessian_.data(), parameters_), cap_);
    runs_.hessians -= due;
  }

  /// Stores the asked times in (t, end] of lane l, a step of length h.
  void save(int l, double t, double h, double end) noexcept {
    runs_.save(l, end, [&](double time, std::int64_t p) {
      return time == end ? y_new_.data()[p * W + l]
                         : method_.interpolate(y_.data(), y_new_.data(), p, l, (time - t) / h);
    });
  }

  Evaluator<Layout>& evaluator_;
  const FlowOptions& options_;
  std::int64_t parameters_, size_, triangle_;
  LaneRuns<W> runs_;
  Method method_;
  KinkPassage<Layout> kinks_;
  StepSize<W, Method::order> step_size_;
  AlignedBuffer y_, y_new_, gradient_, gradient_new_, error_, correction_, hessian_, hessian_new_;
  AlignedBuffer loss_, loss_new_;
  V t_{}, h_{}, atol_{}, floor_{}, loss_noise_{}, cap_{}, extent_{};
  std::int64_t slots_ = 0, busy_ = 0;
};

}  // namespace flowscape
