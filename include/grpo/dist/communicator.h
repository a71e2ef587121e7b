#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/api.h"
#include "grpo/dist/launch.h"

namespace GRPO_API grpo {

enum class Reduction { kSum, kMax };

/// Collectives between the processes that train together. Every rank makes the same calls in the same order, from one thread; each returns
/// when its result is there (on CUDA: is ordered before what the current stream does next).
///
/// Tensors are contiguous and on `device()`; their shapes and dtypes are equal on all ranks. `Error` says which ranks did not take part
/// if a peer died or did not come within the timeout; the communicator is of no use afterwards.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int64_t rank() const { return rank_; }
  int64_t world_size() const { return world_size_; }
  bool is_main() const { return rank_ == 0; }
  at::Device device() const { return device_; }
  /// "none" (one process), "gloo" or "nccl".
  virtual std::string_view backend() const = 0;

  /// Every rank's tensor becomes the element-wise sum (or maximum) over all ranks.
  void all_reduce(const at::Tensor& tensor, Reduction reduction = Reduction::kSum);
  /// The same of numbers on the host.
  void all_reduce(std::span<double> values, Reduction reduction = Reduction::kSum);
  /// Every rank's tensor becomes that of rank `root`.
  void broadcast(const at::Tensor& tensor, int64_t root = 0);
  /// Shape: input [n, …], output [W·n, …]: the inputs of rank 0, 1, … one after the other.
  void all_gather(const at::Tensor& output, const at::Tensor& input);
  /// Shape: input [W·n, …], output [n, …]: rank r's n rows of the sum of all inputs.
  void reduce_scatter(const at::Tensor& output, const at::Tensor& input);
  /// Returns when all ranks have called it.
  void barrier();

 protected:
  Communicator(int64_t rank, int64_t world_size, at::Device device) : rank_(rank), world_size_(world_size), device_(device) {}

 private:
  // Arguments are checked; in one process they are not called.
  virtual void do_all_reduce(const at::Tensor& tensor, Reduction reduction) = 0;
  virtual void do_broadcast(const at::Tensor& tensor, int64_t root) = 0;
  virtual void do_all_gather(const at::Tensor& output, const at::Tensor& input) = 0;
  virtual void do_reduce_scatter(const at::Tensor& output, const at::Tensor& input) = 0;
  virtual void do_barrier() = 0;

  void check_tensor(const at::Tensor& tensor, const char* where) const;
  void check_shares(const at::Tensor& whole, const at::Tensor& share, const char* where) const;

  int64_t rank_, world_size_;
  at::Device device_;
};

/// Runs this rank's part of work that a signal to stop may cut short (an Error of kind kInterrupted). If that happened on any rank, every
/// rank throws such an error, so that all of them abandon the work together. Every rank calls it.
void interruptible(Communicator& communicator, const std::function<void()>& part);

/// Every rank's bytes, by rank. They may differ in length.
std::vector<std::string> all_gather(Communicator& communicator, const std::string& bytes);

/// The part [begin, end) of `count` things that a rank is dealt: contiguous, sizes differing by one at most.
struct Share {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};
Share share_of(int64_t count, int64_t rank, int64_t world_size);
inline Share share_of(int64_t count, const Communicator& c) { return share_of(count, c.rank(), c.world_size()); }

/// The communicator of a process that trains alone: collectives over one rank.
std::shared_ptr<Communicator> single_process(at::Device device = at::kCPU);

struct ConnectOptions {
  at::Device device = at::kCPU;                                   // cpu: Gloo; cuda: NCCL
  std::chrono::milliseconds timeout = std::chrono::minutes(30);   // of one collective, and of waiting for all ranks at the start
  std::chrono::milliseconds roll_call = std::chrono::seconds(5);  // after a failure: how long the others may take to say they live
};

/// Meets the other ranks; with one process nothing is connected. Gloo listens on the interface GLOO_SOCKET_IFNAME, else on the loopback
/// address where the ranks meet there, else on this machine's own address.
/// Throws an Error naming the ranks that did not come within the timeout, and if this build lacks the back end.
std::shared_ptr<Communicator> connect(const LaunchEnvironment& launch, const ConnectOptions& options = {});

/// The back ends of this build, beside one process: "gloo", "nccl".
std::vector<std::string> communication_backends();

}  // namespace grpo
