// Threads: the only file that names OpenMP.
//
// Items are handed out one by one from a counter, so a thread that loses its core delays the
// call by at most the item it holds. Exceptions never cross the region: the first is kept and
// thrown on the calling thread. Thread counts are arguments, never global state.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace flowscape {

/// Threads worth using for `nanoseconds` of work: one more per 0.5 ms. Starting one costs 0.05 to
/// 0.15 ms, and one that loses its core holds the call up for as long as its item takes.
inline int worthwhile_threads(double nanoseconds, int n_threads) noexcept {
  const double useful = 1.0 + nanoseconds / 5e5;
  return useful < n_threads ? static_cast<int>(useful) : std::max(1, n_threads);
}

/// Runs make_worker() once per thread and the worker it returns once per item in [0, count).
template <class MakeWorker>
void parallel_items(std::int64_t count, int n_threads, MakeWorker&& make_worker) {
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
  const auto run = [&]() noexcept {
    try {
      auto worker = make_worker();
      for (;;) {
        const std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
        if (item >= count || failed.load(std::memory_order_relaxed)) return;
        worker(item);
      }
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  n_threads = static_cast<int>(std::clamp<std::int64_t>(count, 1, std::max(1, n_threads)));
#ifdef _OPENMP
  if (n_threads > 1) {
#pragma omp parallel num_threads(n_threads)
    run();
  } else {
    run();
  }
#else
  run();
#endif
  if (failure) std::rethrow_exception(failure);
}

}  // namespace flowscape
