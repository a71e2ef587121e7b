#include "grpo/core/threads.h"

#include <algorithm>
#include <exception>
#include <string>

#include "grpo/core/error.h"

namespace grpo {

struct ThreadPool::Job {
  Job(int64_t count, const std::function<void(int64_t)>& function) : n(count), fn(function) {}

  /// Runs indices until none is left to start.
  void help() {
    std::unique_lock lock(mutex);
    while (next < n) {
      const int64_t index = next++;
      ++running;
      lock.unlock();
      std::exception_ptr error;
      try {
        fn(index);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --running;
      if (error) record(index, error);
    }
    if (running == 0) done.notify_all();
  }

  void record(int64_t index, std::exception_ptr error) {
    n = next;
    if (first_error && first_index < index) return;
    first_error = std::move(error);
    first_index = index;
  }

  std::mutex mutex;
  std::condition_variable done;
  int64_t n, next = 0, running = 0;
  int64_t first_index = 0;
  std::exception_ptr first_error;
  const std::function<void(int64_t)>& fn;  // alive while an index is left to start or running
};

ThreadPool::ThreadPool(int64_t threads) {
  GRPO_CHECK(threads >= 0 && threads <= 4096, "ThreadPool", "expected 0 to 4096 threads; got " + std::to_string(threads));
  if (threads == 0) threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
  workers_.reserve(static_cast<size_t>(threads - 1));
  for (int64_t i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(int64_t n, const std::function<void(int64_t)>& fn) {
  if (n <= 0) return;
  const auto job = std::make_shared<Job>(n, fn);
  if (n > 1 && !workers_.empty()) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(job);
    }
    wake_.notify_all();
  }
  job->help();
  {
    const std::lock_guard lock(mutex_);
    std::erase(jobs_, job);
  }
  std::unique_lock lock(job->mutex);
  job->done.wait(lock, [&] { return job->running == 0; });
  if (job->first_error) std::rethrow_exception(job->first_error);
}

void ThreadPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::shared_ptr<Job> job = jobs_.front();
    lock.unlock();
    job->help();
    lock.lock();
    std::erase(jobs_, job);  // nothing is left to start in it
  }
}

}  // namespace grpo
