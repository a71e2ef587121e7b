#include "ops/cuda_torch.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

std::optional<int64_t> reach_left(const FlashInput& in) { return in.window > 0 ? std::optional(in.window - 1) : std::nullopt; }
/// To the right of itself a causal query sees nothing.
std::optional<int64_t> reach_right(const FlashInput& in) { return in.window > 0 ? std::optional<int64_t>(0) : std::nullopt; }

}  // namespace

bool on_cuda(at::Device device) { return device.is_cuda(); }
bool has_cuda() { return c10::cuda::device_count() > 0; }

at::Device cuda_device() {
  if (!has_cuda()) fail_usage("device", "expected a GPU and its driver for cuda; got none");
  return {at::kCUDA, c10::cuda::current_device()};
}

std::vector<std::string> device_names() {
  std::vector<std::string> names = {"cpu"};
  for (c10::DeviceIndex i = 0; i < c10::cuda::device_count(); ++i) {
    names.push_back("cuda:" + std::to_string(i) + " " + at::cuda::getDeviceProperties(i)->name);
  }
  return names;
}

const Backend& backend(at::Device device) { return device.is_cuda() ? cuda_backend() : cpu_backend(); }

CUstream_st* current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

bool has_flash() { return at::cuda::getCurrentDeviceProperties()->major >= 8; }

FlashOutput flash_forward(const FlashInput& in) {
  const auto result =
      at::_flash_attention_forward(in.query, in.key, in.value, in.query_offsets, in.key_offsets, in.longest_query, in.longest_key, 0.0,
                                   in.causal, false, std::optional(in.scale), reach_left(in), reach_right(in));
  return {std::get<0>(result), std::get<1>(result)};
}

FlashGradient flash_backward(const FlashInput& in, const at::Tensor& dout, const FlashOutput& forward) {
  const at::Tensor unused = at::empty({2}, in.query_offsets.options().dtype(at::kLong));  // the random state, without dropout
  auto [query, key, value] = at::_flash_attention_backward(
      dout.contiguous(), in.query, in.key, in.value, forward.out.contiguous(), forward.lse.contiguous(), in.query_offsets, in.key_offsets,
      in.longest_query, in.longest_key, 0.0, in.causal, unused, unused, in.scale, reach_left(in), reach_right(in));
  return {query, key, value};
}

}  // namespace grpo::ops
