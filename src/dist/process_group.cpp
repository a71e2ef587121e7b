#include <pthread.h>
#include <signal.h>

#include <ctime>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "dist/rendezvous.h"
#include "dist/watch.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

using dist::BackendPointer;
using dist::StorePointer;

/// While it lives, this thread and those that it starts take a write to a closed connection as an error. The back ends' threads check
/// errors, but SIGPIPE would end the process before.
class BrokenPipesAreErrors {
 public:
  BrokenPipesAreErrors() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~BrokenPipesAreErrors() {
    const timespec at_once{};
    if (sigismember(&before_, SIGPIPE) == 0) sigtimedwait(&pipe_, nullptr, &at_once);  // one that came meanwhile
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BrokenPipesAreErrors(const BrokenPipesAreErrors&) = delete;
  BrokenPipesAreErrors& operator=(const BrokenPipesAreErrors&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

class InCollective {
 public:
  InCollective(dist::Watch* watch, const char* what) : watch_(watch) {
    if (watch_ != nullptr) watch_->enter(what);
  }
  ~InCollective() {
    if (watch_ != nullptr) watch_->leave();
  }
  InCollective(const InCollective&) = delete;
  InCollective& operator=(const InCollective&) = delete;

 private:
  dist::Watch* watch_;
};

/// The adapter over torch's back ends, whichever it is.
class ProcessGroup final : public Communicator {
 public:
  ProcessGroup(const LaunchEnvironment& launch, const ConnectOptions& options)
      : Communicator(launch.rank, launch.world_size, options.device),
        launch_(launch),
        options_(options),
        store_(dist::meet(launch, options)) {
    run("connect", [&] {
      backend_ = options.device.is_cuda() ? dist::make_nccl(store_, launch, options) : dist::make_gloo(store_, launch, options);
      return backend_->barrier();  // nobody leaves before everybody is connected
    });
    watch_ = std::make_unique<dist::Watch>(launch, options.timeout);
  }

  std::string_view backend() const override { return device().is_cuda() ? "nccl" : "gloo"; }

 private:
  void do_all_reduce(const at::Tensor& tensor, Reduction reduction) override {
    c10d::AllreduceOptions how;
    how.reduceOp = reduction == Reduction::kMax ? c10d::ReduceOp::MAX : c10d::ReduceOp::SUM;
    std::vector<at::Tensor> tensors = {tensor};
    run_connected("all_reduce", [&] { return backend_->allreduce(tensors, how); });
  }
  void do_broadcast(const at::Tensor& tensor, int64_t root) override {
    c10d::BroadcastOptions how;
    how.rootRank = root;
    std::vector<at::Tensor> tensors = {tensor};
    run_connected("broadcast", [&] { return backend_->broadcast(tensors, how); });
  }
  void do_all_gather(const at::Tensor& output, const at::Tensor& input) override {
    at::Tensor to = output, from = input;
    run_connected("all_gather", [&] { return backend_->_allgather_base(to, from); });
  }
  void do_reduce_scatter(const at::Tensor& output, const at::Tensor& input) override {
    at::Tensor to = output, from = input;
    run_connected("reduce_scatter", [&] { return backend_->_reduce_scatter_base(to, from); });
  }
  void do_barrier() override {
    run_connected("barrier", [&] { return backend_->barrier(); });
  }

  template <class Start>
  void run_connected(const char* what, const Start& start) {
    GRPO_CHECK(backend_, what, "expected a connection to the other ranks; got one that failed before");
    run(what, start);
  }

  template <class Start>
  void run(const char* what, const Start& start) {
    std::string cause;
    const InCollective in(watch_.get(), what);
    try {
      start()->wait();
      return;
    } catch (const Error&) {
      throw;  // ours: a back end that this build lacks
    } catch (const std::exception& error) {
      cause = dist::reason(error);
    }
    report_failure(what, cause);
  }

  /// Closing the connections ends the collective on the ranks that still wait in it, so that they come to the roll call too.
  [[noreturn]] void report_failure(const char* what, const std::string& cause) {
    backend_.reset();
    const auto absent = dist::absent_ranks(store_, launch_, options_.roll_call);
    const std::string expected = "expected all " + std::to_string(world_size()) + " ranks to take part; ";
    fail(what, expected + (absent.empty() ? "the connection failed though all of them live" : "got no sign of " + dist::to_text(absent)) +
                   " (rank " + std::to_string(rank()) + ": " + cause + ")");
  }

  LaunchEnvironment launch_;
  ConnectOptions options_;
  StorePointer store_;
  BackendPointer backend_;
  std::unique_ptr<dist::Watch> watch_;  // from when all are connected
};

}  // namespace

std::shared_ptr<Communicator> connect(const LaunchEnvironment& launch, const ConnectOptions& options) {
  if (launch.single()) return single_process(options.device);
  const BrokenPipesAreErrors guard;  // the back ends' threads begin here
  return std::make_shared<ProcessGroup>(launch, options);
}

std::vector<std::string> communication_backends() {
  std::vector<std::string> names;
  if (dist::kHasGloo) names.emplace_back("gloo");
  if (dist::kHasNccl) names.emplace_back("nccl");
  return names;
}

}  // namespace grpo
