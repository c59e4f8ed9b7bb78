// Long calls: work on a fresh thread while this one listens for Ctrl-C.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>

namespace flowscape::bindings {

namespace py = pybind11;

/// How often a long call looks for signals and reports progress.
inline constexpr std::chrono::milliseconds kPoll{50};

/// Runs work(stop, finished) without the GIL. What takes more than about 5 ms on one thread runs
/// on a fresh one. Meanwhile this thread handles signals (Ctrl-C sets `stop`, waits for the
/// work to return, then raises) and calls progress(finished) unless it is None.
template <class Work>
void run_interruptible(double nanoseconds, const py::object& progress, Work&& work) {
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> finished{0};
  if (nanoseconds < 5e6) {
    {
      py::gil_scoped_release released;
      work(stop, finished);
    }
    if (!progress.is_none()) progress(finished.load());
    return;
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::exception_ptr failure;
  py::gil_scoped_release released;
  std::thread worker([&] {
    try {
      work(stop, finished);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  });
  std::exception_ptr raised;
  for (std::unique_lock lock(mutex); !done;) {
    if (changed.wait_for(lock, kPoll, [&] { return done; })) break;
    if (stop) continue;
    lock.unlock();
    try {
      const py::gil_scoped_acquire held;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (!progress.is_none()) progress(finished.load());
    } catch (...) {
      raised = std::current_exception();
      stop = true;
    }
    lock.lock();
  }
  worker.join();
  const py::gil_scoped_acquire held;
  if (raised) std::rethrow_exception(raised);
  if (failure) std::rethrow_exception(failure);
  if (!progress.is_none()) progress(finished.load());
}

}  // namespace flowscape::bindings
