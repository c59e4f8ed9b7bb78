#include "flowscape/descent/descent.hpp"

#include <algorithm>

#include "flowscape/descent/lanes.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape {
namespace {

/// Takes runs from the queue until it is empty and every lane is idle.
template <class Gradient>
void follow(const Objective& objective, const DescentOptions& options,
            const DescentOutput& output, FlowQueue& queue) {
  DescentLanes<Gradient> lanes(objective, options, output, queue);
  const auto stopping = [&queue] { return queue.stop->load(std::memory_order_relaxed); };
  while (lanes.live()) {
    const std::int64_t most = lanes.until_look();
    std::int64_t taken = 0;
    for (bool halted = false; taken < most && !halted && !stopping(); ++taken)
      halted = lanes.step();
    lanes.settle(taken);
    if (stopping()) return lanes.interrupt();
  }
}

template <class Gradient>
void follow_all(const Objective& objective, const DescentOptions& options, std::int64_t batch,
                const DescentOutput& output, FlowQueue& queue, int n_threads) {
  constexpr std::int64_t W = Gradient::W;
  const int threads = static_cast<int>(
      std::clamp<std::int64_t>((batch + W - 1) / W, 1, std::max(1, n_threads)));
  parallel_team(threads, [&] { follow<Gradient>(objective, options, output, queue); });
}

}  // namespace

void gradient_descent(const Objective& objective, const DescentOptions& options,
                      std::int64_t batch, const double* theta0, const DescentOutput& output,
                      int n_threads, const std::atomic<bool>& stop,
                      std::atomic<std::int64_t>& finished) {
  FlowQueue queue{batch, theta0, finished, &stop};
  const auto with = [&]<class Gradient>() {
    follow_all<Gradient>(objective, options, batch, output, queue, n_threads);
  };
  if (options.sampling == Sampling::all)
    objective.with_layout([&]<class Layout>() {
      with.template operator()<FullGradient<Layout>>();
    });
  else if (choose_kernel(objective.problem().shape, options.batch_size) ==
           KernelShape::network_lanes)
    with.template operator()<BatchGradient<OwnSamples>>();
  else
    with.template operator()<BatchGradient<SampleLanes>>();
  if (stop.load()) return;
  end_points(objective, batch, output.theta, output.loss, output.gradient_norm,
             output.lambda_max, n_threads, stop);
  // The last point's loss is known only now.
  for (std::int64_t b = 0; b < batch; ++b)
    if (output.status[b] == static_cast<std::int8_t>(Status::step_limit) &&
        (output.loss[b] <= options.stop_loss || output.gradient_norm[b] <= options.gtol))
      output.status[b] = static_cast<std::int8_t>(Status::converged);
}

}  // namespace flowscape
