#include "flowscape/descent/descent.hpp"

#include <memory>
#include <vector>

#include "flowscape/descent/lanes.hpp"
#include "flowscape/parallel.hpp"

namespace flowscape {
namespace {

// Blocks that a thread advances in turn: while one waits for the end of its chain of operations,
// the next one begins. Three or four bring nothing more.
constexpr std::int64_t kBlocks = 2;

/// Takes runs from the queue until it is empty and every lane is idle.
template <class Gradient>
void follow(const Objective& objective, const DescentOptions& options,
            const DescentOutput& output, FlowQueue& queue, std::int64_t count) {
  std::vector<std::unique_ptr<DescentLanes<Gradient>>> blocks;
  for (std::int64_t i = 0; i < count; ++i)
    blocks.push_back(std::make_unique<DescentLanes<Gradient>>(objective, options, output, queue));
  for (;;) {
    std::erase_if(blocks, [](const auto& block) { return !block->live(); });
    if (blocks.empty()) return;
    std::int64_t most = kLookEvery, taken = 0;
    for (const auto& block : blocks) most = std::min(most, block->until_look());
    bool halted = false, stopping = false;
    while (taken < most && !halted && !stopping) {
      for (const auto& block : blocks) halted |= block->step();
      ++taken;
      stopping = queue.stop->load(std::memory_order_relaxed);
    }
    for (const auto& block : blocks) {
      block->settle(taken);
      if (stopping) block->interrupt();
    }
    if (stopping) return;
  }
}

template <class Gradient>
void follow_all(const Objective& objective, const DescentOptions& options, std::int64_t batch,
                const DescentOutput& output, FlowQueue& queue, int n_threads) {
  constexpr std::int64_t W = Gradient::W;
  const std::int64_t filled = (batch + W - 1) / W;
  const int threads = static_cast<int>(std::clamp<std::int64_t>(filled, 1, std::max(1, n_threads)));
  const std::int64_t blocks = W > 1 && filled > threads ? kBlocks : 1;
  // One item per thread: the runs themselves are handed out by the queue.
  parallel_items(threads, threads, [&] {
    return [&](std::int64_t) { follow<Gradient>(objective, options, output, queue, blocks); };
  });
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
