#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// A fixed pool of threads for rewards and files. Never for numerics: tensor kernels run on OpenMP, and two pools must not spin at once.
class ThreadPool {
 public:
  /// `threads` counts the caller of parallel_for; 0: as many as the hardware runs.
  explicit ThreadPool(int64_t threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int64_t size() const { return static_cast<int64_t>(workers_.size()) + 1; }

  /// Calls fn(i) for each i in [0, n), handed out in ascending order, and returns when all are done. If calls throw, no further ones
  /// start and the exception of the lowest such i is thrown: the one that a plain loop would throw. May be called from several threads
  /// and from within `fn`.
  void parallel_for(int64_t n, const std::function<void(int64_t)>& fn);

 private:
  struct Job;
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace grpo
