#include "flowscape/flow/flow.hpp"

#include "flowscape/flow/bdf.hpp"
#include "flowscape/flow/dormand_prince.hpp"
#include "flowscape/flow/integrator.hpp"
#include "flowscape/flow/rosenbrock.hpp"
#include "flowscape/objective/lane_rows.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape {
namespace {

template <class Layout, class Method>
void run_all(const Objective& objective, const FlowOptions& options, const FlowOutput& output,
             FlowQueue& queue, int n_threads) {
  std::atomic<std::int64_t> slots{0}, busy{0};
  parallel_team(n_threads, [&] {
    const auto lease = objective.lease<Layout>(2);
    Integrator<Layout, Method> integrator(*lease, options, output, queue);
    integrator.run();
    slots += integrator.slots();
    busy += integrator.busy();
  });
  *output.slots = slots;
  *output.busy = busy;
}

}  // namespace

void gradient_flow(const Objective& objective, FlowMethod method, const FlowOptions& options,
                   std::int64_t batch, const double* theta0, const FlowOutput& output,
                   int n_threads, const std::atomic<bool>& stop,
                   std::atomic<std::int64_t>& finished) {
  FlowQueue queue{batch, theta0, finished, &stop};
  objective.with_layout([&]<class Layout>() {
    const std::int64_t lanes = Layout::networks;
    const int threads = static_cast<int>(
        std::clamp<std::int64_t>((batch + lanes - 1) / lanes, 1, std::max(1, n_threads)));
    if (method == FlowMethod::rk45)
      run_all<Layout, DormandPrinceStep<Layout>>(objective, options, output, queue, threads);
    else if (method == FlowMethod::bdf)
      run_all<Layout, BdfStep<Layout>>(objective, options, output, queue, threads);
    else
      run_all<Layout, RosenbrockStep<Layout>>(objective, options, output, queue, threads);
  });
}

void spectral_bounds(const Objective& objective, std::int64_t batch, const double* theta,
                     double* bounds, int n_threads, const std::atomic<bool>& stop) {
  const std::int64_t P = objective.parameters();
  objective.with_layout([&]<class Layout>() {
    constexpr int W = Layout::networks;
    const std::int64_t blocks = (batch + W - 1) / W;
    const int threads =
        worthwhile_threads(objective.nanoseconds(2) * static_cast<double>(batch), n_threads);
    parallel_items(blocks, threads, [&] {
      AlignedBuffer buffer((2 * P + triangle(P) + 1) * W);
      return [&, lease = objective.lease<Layout>(2),
              buffer = std::move(buffer)](std::int64_t block) mutable {
        if (stop.load(std::memory_order_relaxed)) return;
        double *const in = buffer.data(), *const gradient = in + P * W;
        double *const hessian = gradient + P * W, *const loss = hessian + triangle(P) * W;
        gather_rows<W>(theta, batch, P, block * W, in);
        lease->evaluate(2, in, loss, gradient, hessian);
        Vec<W> bound = gershgorin<W>(hessian, P);
        for (std::int64_t i = 0; i < triangle(P) * W; i += W)
          bound = fma(load<Vec<W>>(hessian + i), Vec<W>{}, bound);  // NaN unless all are finite
        store(loss, bound);
        scatter_rows<W>(loss, batch, 1, block * W, bounds);
      };
    });
  });
}

bool march_bdf(const Objective& objective, int order, double h, std::int64_t steps,
               const double* history, double* end) {
  const std::int64_t P = objective.parameters();
  auto evaluator = objective.lease<SampleLanes>(2);
  BdfStep<SampleLanes> method(P);
  AlignedBuffer y(P), y_new(P), gradient(P), error(P), hessian(triangle(P)), scratch(triangle(P));
  AlignedBuffer loss(1), points((order + 1) * P);
  std::copy_n(history, (order + 1) * P, points.data());
  std::copy_n(history, P, y.data());
  evaluator->evaluate(2, y.data(), loss.data(), gradient.data(), hessian.data());
  const Mask<1> all{-1};
  method.begin(*evaluator, all, y.data(), gradient.data());
  method.fix_order(order, h, points.data());
  Mask<1> gradients{}, hessians{};
  // Newton's iteration goes on until its remainder is 1e-3 of these tolerances.
  const BdfStep<SampleLanes>::Trial trial{
      all, Vec<1>{h}, Vec<1>{1e-14}, 1e-12, Vec<1>{0.0}, Vec<1>{0.0}, Vec<1>{0.0},
      y.data(), y_new.data(), loss.data(), gradient.data(), error.data(),
      hessian.data(), scratch.data(), gradients, hessians};
  for (std::int64_t i = 0; i < steps; ++i) {
    if (any(method.attempt(*evaluator, trial))) return false;
    method.advance(trial, all, all, Vec<1>{0.0});
    std::copy_n(y_new.data(), P, y.data());
  }
  std::copy_n(y.data(), P, end);
  return true;
}

}  // namespace flowscape
