#include "flowscape/flow/flow.hpp"

#include "flowscape/flow/bdf.hpp"
#include "flowscape/flow/dormand_prince.hpp"
#include "flowscape/flow/integrator.hpp"
#include "flowscape/flow/rosenbrock.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape {
namespace {

template <class Layout, class Method>
void run_all(const Objective& objective, const FlowOptions& options, const FlowOutput& output,
             FlowQueue& queue, int n_threads) {
  std::atomic<std::int64_t> slots{0}, busy{0};
  // One item per thread: the runs themselves are handed out by the queue.
  parallel_items(n_threads, n_threads, [&] {
    return [&, lease = objective.lease<Layout>(2)](std::int64_t) {
      Integrator<Layout, Method> integrator(*lease, options, output, queue);
      integrator.run();
      slots += integrator.slots();
      busy += integrator.busy();
    };
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

}  // namespace flowscape
