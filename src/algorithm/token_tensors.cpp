#include "token_tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "grpo/core/error.h"
#include "ops/ops.h"

namespace grpo {

TokenTensors::TokenTensors(const Batch& batch, const at::TensorOptions& options) : options_(options) {
  const auto device = options.device();
  samples_ = at::tensor(batch.sequence_of, at::kInt).to(device, at::kLong);
  lengths_ = at::bincount(at::tensor(batch.sequence_of, at::kInt), {}, batch.num_sequences()).to(device, at::kLong);
  mask_ = batch.mask.to(options);
  in_loss_ = mask_ > 0;
  loss_lengths_ = sum(mask_);
}

at::Tensor TokenTensors::keep(const at::Tensor& values) const { return at::where(in_loss_, values.to(options_), at::zeros({}, options_)); }

at::Tensor TokenTensors::sum(const at::Tensor& values) const { return ops::segment_sum(values, lengths_); }

at::Tensor TokenTensors::loss_mean(const at::Tensor& values) const { return sum(values) / loss_lengths_.clamp_min(1); }

at::Tensor TokenTensors::mean(const at::Tensor& values) const { return sum(values) / lengths_; }

at::Tensor TokenTensors::spread(const at::Tensor& per_sample) const { return ops::repeat_segments(per_sample, samples_, lengths_); }

}  // namespace grpo
