#include "grpo/dist/communicator.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "grpo/core/error.h"

namespace grpo {
namespace {

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "no tensor";
  std::ostringstream text;
  text << tensor.scalar_type() << " " << tensor.sizes() << " on " << tensor.device() << (tensor.is_contiguous() ? "" : ", strided");
  return text.str();
}

/// Collectives over one rank: results are the inputs.
class SingleProcess final : public Communicator {
 public:
  explicit SingleProcess(at::Device device) : Communicator(0, 1, device) {}
  std::string_view backend() const override { return "none"; }

 private:
  void do_all_reduce(const at::Tensor& /*tensor*/, Reduction /*reduction*/) override {}
  void do_broadcast(const at::Tensor& /*tensor*/, int64_t /*root*/) override {}
  void do_all_gather(const at::Tensor& output, const at::Tensor& input) override { output.copy_(input); }
  void do_reduce_scatter(const at::Tensor& output, const at::Tensor& input) override { output.copy_(input); }
  void do_barrier() override {}
};

}  // namespace

void Communicator::check_tensor(const at::Tensor& tensor, const char* where) const {
  const bool good = tensor.defined() && tensor.is_contiguous() && tensor.device().type() == device_.type() && !tensor.requires_grad();
  GRPO_CHECK(good, where, "expected a contiguous tensor without gradient on " + device_.str() + "; got " + describe(tensor));
}

void Communicator::check_shares(const at::Tensor& whole, const at::Tensor& share, const char* where) const {
  check_tensor(whole, where);
  check_tensor(share, where);
  const bool good = whole.scalar_type() == share.scalar_type() && whole.dim() == share.dim() && share.dim() > 0 &&
                    whole.size(0) == world_size_ * share.size(0) && whole.sizes().slice(1) == share.sizes().slice(1);
  GRPO_CHECK(good, where,
             "expected [W·n, …] and [n, …] of one dtype, W = " + std::to_string(world_size_) + "; got " + describe(whole) + " and " +
                 describe(share));
}

void Communicator::all_reduce(const at::Tensor& tensor, Reduction reduction) {
  check_tensor(tensor, "all_reduce");
  do_all_reduce(tensor, reduction);
}

void Communicator::all_reduce(std::span<double> values, Reduction reduction) {
  if (world_size_ == 1) return;
  const at::Tensor host = at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kDouble);
  const at::Tensor there = host.to(device_);  // on the CPU the values themselves
  do_all_reduce(there, reduction);
  if (!there.is_same(host)) host.copy_(there);
}

void Communicator::broadcast(const at::Tensor& tensor, int64_t root) {
  check_tensor(tensor, "broadcast");
  GRPO_CHECK(root >= 0 && root < world_size_, "broadcast",
             "expected a rank below " + std::to_string(world_size_) + "; got " + std::to_string(root));
  do_broadcast(tensor, root);
}

void Communicator::all_gather(const at::Tensor& output, const at::Tensor& input) {
  check_shares(output, input, "all_gather");
  do_all_gather(output, input);
}

void Communicator::reduce_scatter(const at::Tensor& output, const at::Tensor& input) {
  check_shares(input, output, "reduce_scatter");
  do_reduce_scatter(output, input);
}

void Communicator::barrier() { do_barrier(); }

void interruptible(Communicator& communicator, const std::function<void()>& part) {
  double cut_short = 0.0;
  try {
    part();
  } catch (const Error& error) {
    if (communicator.world_size() == 1 || error.kind() != ErrorKind::kInterrupted) throw;
    cut_short = 1.0;
  }
  communicator.all_reduce(std::span(&cut_short, 1), Reduction::kMax);
  if (cut_short > 0.0) fail_interrupted("interrupted", "a signal asked the ranks to stop");
}

std::vector<std::string> all_gather(Communicator& communicator, const std::string& bytes) {
  const int64_t world = communicator.world_size();
  if (world == 1) return {bytes};
  const auto place = at::TensorOptions(communicator.device());
  at::Tensor lengths = at::empty({world}, place.dtype(at::kLong));
  communicator.all_gather(lengths, at::tensor(at::ArrayRef<int64_t>{static_cast<int64_t>(bytes.size())}, at::kLong).to(place.device()));
  lengths = lengths.to(at::kCPU);
  const auto* length = lengths.const_data_ptr<int64_t>();
  const int64_t longest = std::max<int64_t>(1, *std::max_element(length, length + world));

  at::Tensor mine = at::zeros({1, longest}, at::kByte), all = at::empty({world, longest}, place.dtype(at::kByte));
  std::memcpy(mine.data_ptr<uint8_t>(), bytes.data(), bytes.size());
  communicator.all_gather(all, mine.to(place.device()));
  all = all.to(at::kCPU);
  std::vector<std::string> result;
  for (int64_t r = 0; r < world; ++r) {
    result.emplace_back(reinterpret_cast<const char*>(all.const_data_ptr<uint8_t>()) + r * longest, static_cast<size_t>(length[r]));
  }
  return result;
}

Share share_of(int64_t count, int64_t rank, int64_t world_size) {
  return {.begin = count * rank / world_size, .end = count * (rank + 1) / world_size};
}

std::shared_ptr<Communicator> single_process(at::Device device) { return std::make_shared<SingleProcess>(device); }

}  // namespace grpo
