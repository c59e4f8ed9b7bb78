// A compiled problem: loss and derivatives of batches of networks, rows in, rows out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "flowscape/objective/evaluator.hpp"
#include "flowscape/objective/problem_data.hpp"

namespace flowscape {

/// Evaluators kept between calls, so that a small call allocates nothing.
template <class Layout>
class EvaluatorPool {
 public:
  class Lease {
   public:
    Lease(EvaluatorPool& pool, std::unique_ptr<Evaluator<Layout>> evaluator)
        : pool_(&pool), evaluator_(std::move(evaluator)) {}
    Lease(Lease&&) noexcept = default;
    ~Lease() {
      if (evaluator_) pool_->give_back(std::move(evaluator_));
    }
    Evaluator<Layout>& operator*() const noexcept { return *evaluator_; }
    Evaluator<Layout>* operator->() const noexcept { return evaluator_.get(); }

   private:
    EvaluatorPool* pool_;
    std::unique_ptr<Evaluator<Layout>> evaluator_;
  };

  /// An evaluator prepared for derivatives up to `order`.
  Lease lease(const ProblemData& problem, int order) {
    std::unique_ptr<Evaluator<Layout>> evaluator;
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        evaluator = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (!evaluator) evaluator = std::make_unique<Evaluator<Layout>>(problem);
    evaluator->prepare(order);
    return Lease(*this, std::move(evaluator));
  }

 private:
  void give_back(std::unique_ptr<Evaluator<Layout>> evaluator) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(evaluator));
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<Evaluator<Layout>>> idle_;
};

class Objective {
 public:
  explicit Objective(ProblemData problem);
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;

  const ProblemData& problem() const noexcept { return problem_; }
  std::int64_t parameters() const noexcept { return problem_.shape.parameters(); }

  /// In all of these, once `stop` is true the networks not yet begun are left out.
  ///
  /// theta [B][P] -> loss [B], gradient [B][P], hessian [B][P][P], as far as `order` says.
  void evaluate(int order, std::int64_t batch, const double* theta, double* loss,
                double* gradient, double* hessian, int n_threads,
                const std::atomic<bool>* stop = nullptr) const;

  /// H(theta_b) v_b for rows theta, v [B][P].
  void hessian_vector(std::int64_t batch, const double* theta, const double* direction,
                      double* product, int n_threads,
                const std::atomic<bool>* stop = nullptr) const;

  /// residual [B][N][K] and, unless null, jacobian [B][N][K][P]; unweighted.
  void residual(std::int64_t batch, const double* theta, double* residual, double* jacobian,
                int n_threads,
                const std::atomic<bool>* stop = nullptr) const;

  /// Bounds on rounding errors, each [B]: Noise of evaluator.hpp.
  void noise(std::int64_t batch, const double* theta, double* zero_loss, double* loss,
             double* gradient, double* hessian, int n_threads,
                const std::atomic<bool>* stop = nullptr) const;

  /// Rough cost of one network at derivative `order`, nanoseconds: decides threads, never bits.
  double nanoseconds(int order) const noexcept;

  /// An evaluator for derivatives up to `order`.
  template <class Layout>
  auto lease(int order) const {
    if constexpr (Layout::kernel == KernelShape::network_lanes)
      return network_pool_.lease(problem_, order);
    else
      return sample_pool_.lease(problem_, order);
  }

  /// Calls body.template operator()<Layout>() with the layout of this problem's kernel.
  template <class Body>
  void with_layout(Body&& body) const {
    if (problem_.kernel == KernelShape::network_lanes)
      body.template operator()<NetworkLanes>();
    else
      body.template operator()<SampleLanes>();
  }

 private:
  ProblemData problem_;
  std::vector<std::int32_t> square_places_;  ///< of lane = network
  mutable EvaluatorPool<NetworkLanes> network_pool_;
  mutable EvaluatorPool<SampleLanes> sample_pool_;
};

}  // namespace flowscape
