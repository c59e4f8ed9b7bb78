// Threads: the only file that names OpenMP, and the only one that starts helpers.
//
// Two ways to share work. A *team* (OpenMP) does what takes long and hands itself out: flows and
// descents from a queue of runs. *Items* are handed out one by one from a counter, in calls that may
// last a millisecond: the calling thread works like the others, and when none is left it waits for
// those that hold an item, never for one that the system has not let run; a team's barrier would.
// Exceptions stay on their thread; the first is thrown again on the calling one. Thread counts are
// arguments, never global state, and no helper stays when its call has ended.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>

namespace flowscape {

/// Threads worth using for `nanoseconds` of work: one more per 0.5 ms. Starting one costs 0.02 to
/// 0.1 ms, and one that loses its core holds the call up for as long as its item takes.
inline int worthwhile_threads(double nanoseconds, int n_threads) noexcept {
  const double useful = 1.0 + nanoseconds / 5e5;
  return useful < n_threads ? static_cast<int>(useful) : std::max(1, n_threads);
}

namespace detail {

/// The first exception of several threads.
class FirstFailure {
 public:
  void keep() noexcept {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
  }
  bool failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false};
};

/// Who may touch what belongs to a call. Lives until its last helper has gone.
class Crew {
 public:
  /// Whether the call goes on: if so the caller waits for this helper to leave.
  bool enter() noexcept {
    std::uint32_t inside = inside_.load(std::memory_order_acquire);
    do {
      if ((inside & kClosed) != 0) return false;
    } while (!inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel));
    return true;
  }
  void leave() noexcept {
    if (inside_.fetch_sub(1, std::memory_order_acq_rel) == kClosed + 1) inside_.notify_one();
  }
  /// Lets nobody in any more, and waits until everybody has left. First awake, for about as long as
  /// an item takes: who sleeps may have lost the core when it wakes up.
  void close() noexcept {
    std::uint32_t inside = inside_.fetch_or(kClosed, std::memory_order_acq_rel) | kClosed;
    const auto asleep = std::chrono::steady_clock::now() + kAwake;
    while (inside != kClosed && std::chrono::steady_clock::now() < asleep)
      inside = inside_.load(std::memory_order_acquire);
    while (inside != kClosed) {
      inside_.wait(inside, std::memory_order_acquire);
      inside = inside_.load(std::memory_order_acquire);
    }
  }

 private:
  static constexpr std::chrono::microseconds kAwake{50};
  static constexpr std::uint32_t kClosed = std::uint32_t{1} << 31;
  std::atomic<std::uint32_t> inside_{0};
};

/// A helper that shares its core is stopped while it holds an item, sooner or later, and the caller
/// has to wait until it is its turn again. In calls so short that this matters it goes out between
/// two items and offers the core, before it is taken away.
inline constexpr std::chrono::microseconds kTurn{500}, kShortCall{20'000};

}  // namespace detail

/// Runs worker(item) once for every item in [0, count). Workers come from make_worker(): one on the
/// calling thread and at least one on every other that took an item.
template <class MakeWorker>
void parallel_items(std::int64_t count, int n_threads, MakeWorker&& make_worker) {
  using Clock = std::chrono::steady_clock;
  std::atomic<std::int64_t> next{0};
  detail::FirstFailure failure;
  // Works until `leave()`, asked after every item, or no item is left, which is the answer.
  const auto run = [&](auto&& leave) noexcept {
    try {
      auto worker = make_worker();
      for (;;) {
        const std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
        if (item >= count || failure.failed()) return true;
        worker(item);
        if (leave()) return false;
      }
    } catch (...) {
      failure.keep();
      return true;
    }
  };
  const std::int64_t threads = std::clamp<std::int64_t>(count, 1, std::max(1, n_threads));
  if (threads == 1) {
    run([] { return false; });
  } else {
    const auto crew = std::make_shared<detail::Crew>();
    const auto help = [crew, &run, begin = Clock::now()] {
      while (crew->enter()) {  // `run` may be used inside only
        const auto entered = Clock::now();
        const bool done = run([&] {
          const auto now = Clock::now();
          return now - entered > detail::kTurn && now - begin < detail::kShortCall;
        });
        crew->leave();
        if (done) return;
        std::this_thread::yield();
      }
    };
    try {
      for (std::int64_t helper = 1; helper < threads; ++helper) std::thread(help).detach();
    } catch (const std::system_error&) {
      // The system gives no more threads: those that there are do the work.
    }
    run([] { return false; });
    crew->close();
  }
  failure.rethrow();
}

/// Runs body() once on every thread of a team, which share one queue. Call it on a thread that ends
/// with the call (`run_interruptible`): a team that outlives it makes a later fork() hang.
template <class Body>
void parallel_team(int n_threads, Body&& body) {
  detail::FirstFailure failure;
  const auto run = [&]() noexcept {
    try {
      body();
    } catch (...) {
      failure.keep();
    }
  };
#ifdef _OPENMP
#pragma omp parallel num_threads(std::max(1, n_threads)) if (n_threads > 1)
#endif
  run();
  failure.rethrow();
}

}  // namespace flowscape
