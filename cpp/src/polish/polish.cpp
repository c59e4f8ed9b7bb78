#include "flowscape/polish/polish.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "flowscape/linalg/dense.hpp"
#include "flowscape/objective/lane_rows.hpp"
#include "flowscape/parallel.hpp"
#include "flowscape/polish/newton_run.hpp"
#include "flowscape/polish/zero_residual.hpp"

namespace flowscape {
namespace {

/// Derivatives and noise at W points at once, unpacked for Eigen.
template <class Layout>
class BatchedDerivatives {
 public:
  static constexpr int W = Layout::networks;
  explicit BatchedDerivatives(Evaluator<Layout>& evaluator)
      : evaluator_(evaluator), parameters_(evaluator.parameters()), theta_(parameters_ * W),
        loss_(W), gradient_(parameters_ * W), hessian_(triangle(parameters_) * W),
        pattern_(evaluator.pattern_size()), reference_(evaluator.pattern_size()) {
    for (PointData& d : data) {
      d.gradient.resize(parameters_);
      d.hessian.resize(parameters_ * parameters_);
    }
  }

  void set(int l, const Vector& theta) noexcept {
    for (std::int64_t p = 0; p < parameters_; ++p) theta_.data()[p * W + l] = theta[p];
  }

  void evaluate() noexcept {
    evaluator_.evaluate(2, theta_.data(), loss_.data(), gradient_.data(), hessian_.data());
    const Noise<W> noise = evaluator_.noise(theta_.data());
    Mask<W> crossed{};
    if (pattern_.size() > 0) {
      evaluator_.pattern(theta_.data(), pattern_.data());
      crossed = evaluator_.first_crossing(reference_.data(), pattern_.data()) <= 1.0;
    }
    for (int l = 0; l < W; ++l) {
      PointData& d = data[l];
      d.loss = loss_.data()[l];
      const double* entry = hessian_.data() + l;
      for (std::int64_t i = 0; i < parameters_; ++i) {
        d.gradient[i] = gradient_.data()[i * W + l];
        for (std::int64_t j = 0; j <= i; ++j, entry += W)
          d.hessian[i * parameters_ + j] = d.hessian[j * parameters_ + i] = *entry;
      }
      d.zero_loss = noise.zero_loss[l];
      d.gradient_noise = noise.gradient[l];
      d.hessian_noise = noise.hessian[l];
      d.crossed_kink = crossed[l] != 0;
    }
  }

  /// The present points are the ones whose kink pattern must be kept; lanes of `take` only.
  void keep_pattern(Mask<W> take) noexcept {
    if (pattern_.size() == 0) return;
    evaluator_.pattern(theta_.data(), pattern_.data());
    if constexpr (W == 1) {
      if (take[0]) std::copy_n(pattern_.data(), pattern_.size(), reference_.data());
    } else {
      for (std::int64_t i = 0; i < pattern_.size(); i += W)
        store(reference_.data() + i, select<Vec<W>>(take, load<Vec<W>>(pattern_.data() + i),
                                                    load<Vec<W>>(reference_.data() + i)));
    }
  }

  PointData data[W];

 private:
  Evaluator<Layout>& evaluator_;
  std::int64_t parameters_;
  AlignedBuffer theta_, loss_, gradient_, hessian_, pattern_, reference_;
};

template <class Layout>
class Polisher {
 public:
  static constexpr int W = Layout::networks;

  Polisher(const Objective& objective, const PolishOptions& options, std::int64_t batch,
           const double* theta, const PolishOutput& output)
      : options_(options), batch_(batch), theta_(theta), output_(output),
        parameters_(objective.parameters()), lease_(objective.lease<Layout>(2)),
        sample_lease_(objective.lease<SampleLanes>(1)), derivatives_(*lease_) {}

  /// The points first .. first + W - 1, to their ends.
  void operator()(std::int64_t first) {
    const int count = static_cast<int>(std::min<std::int64_t>(W, batch_ - first));
    Mask<W> all{};
    for (int l = 0; l < W; ++l) {
      runs_[l].begin(theta_ + (first + std::min(l, count - 1)) * parameters_, parameters_);
      derivatives_.set(l, runs_[l].trial());
      all[l] = -1;
    }
    derivatives_.keep_pattern(all);
    bool over[W] = {};
    for (int left = count; left > 0;) {
      derivatives_.evaluate();
      for (int l = 0; l < count; ++l) {
        if (over[l]) continue;
        over[l] = runs_[l].absorb(derivatives_.data[l], options_);
        left -= over[l];
        derivatives_.set(l, over[l] ? runs_[l].point() : runs_[l].trial());
      }
    }
    finish(first, count);
  }

 private:
  void finish(std::int64_t first, int count) {
    bool moved = false;
    Vector points[W];
    for (int l = 0; l < count; ++l) {
      points[l] = runs_[l].point();
      if (zero_is_near(lease_->problem(), runs_[l].data()) &&
          reach_zero(*sample_lease_, points[l])) {
        derivatives_.set(l, points[l]);
        moved = true;
      }
    }
    if (moved) derivatives_.evaluate();
    for (int l = 0; l < count; ++l) report(first + l, runs_[l], points[l],
                                           moved ? derivatives_.data[l] : runs_[l].data());
  }

  void report(std::int64_t b, const NewtonRun& run, const Vector& point,
              const PointData& d) {
    std::copy_n(point.data(), parameters_, output_.theta + b * parameters_);
    const double slope = largest(d.gradient);
    output_.loss[b] = d.loss;
    output_.zero_loss[b] = d.zero_loss;
    output_.gradient_norm[b] = slope;
    output_.floor[b] = d.gradient_noise;
    output_.iterations[b] = run.iterations();
    Status status = run.status();
    if (status != Status::nonfinite && slope <= std::max(options_.gtol, d.gradient_noise))
      status = Status::converged;
    output_.status[b] = static_cast<std::int8_t>(status);
    double* const values = output_.eigenvalues + b * parameters_;
    std::int64_t* const inertia = output_.inertia + 3 * b;
    inertia[0] = inertia[1] = inertia[2] = 0;
    if (!std::isfinite(largest(d.hessian))) {
      std::fill_n(values, parameters_, NAN);
      output_.zero_bound[b] = NAN;
      return;
    }
    symmetric_eigen(parameters_, d.hessian.data(), values, nullptr);
    // Rounding of the Hessian, and of the eigenvalue algorithm: P eps |H|_2.
    const double extent = std::max(std::abs(values[0]), std::abs(values[parameters_ - 1]));
    const double bound =
        d.hessian_noise + 2.220446049250313e-16 * static_cast<double>(parameters_) * extent;
    output_.zero_bound[b] = bound;
    for (std::int64_t p = 0; p < parameters_; ++p)
      ++inertia[values[p] > bound ? 0 : values[p] < -bound ? 1 : 2];
  }

  const PolishOptions& options_;
  std::int64_t batch_;
  const double* theta_;
  const PolishOutput& output_;
  std::int64_t parameters_;
  typename EvaluatorPool<Layout>::Lease lease_;
  EvaluatorPool<SampleLanes>::Lease sample_lease_;
  BatchedDerivatives<Layout> derivatives_;
  NewtonRun runs_[W];
};

}  // namespace

void polish(const Objective& objective, const PolishOptions& options, std::int64_t batch,
            const double* theta, const PolishOutput& output, int n_threads,
            const std::atomic<bool>& stop, std::atomic<std::int64_t>& finished) {
  objective.with_layout([&]<class Layout>() {
    constexpr std::int64_t W = Layout::networks;
    parallel_items((batch + W - 1) / W, n_threads, [&] {
      auto polisher = std::make_unique<Polisher<Layout>>(objective, options, batch, theta, output);
      return [&, polisher = std::move(polisher)](std::int64_t block) {
        if (stop.load(std::memory_order_relaxed)) return;
        (*polisher)(block * W);
        finished += std::min(W, batch - block * W);
      };
    });
  });
}

}  // namespace flowscape
