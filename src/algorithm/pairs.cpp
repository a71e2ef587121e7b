#include "pairs.h"

#include <ATen/ATen.h>

#include "grpo/core/error.h"
#include "ops/ops.h"

namespace grpo {

Pairs::Pairs(const Batch& batch, const at::TensorOptions& options) : options_(options) {
  const auto device = options.device();
  samples_ = at::tensor(batch.samples, at::kInt).to(device, at::kLong);
  lengths_ = at::bincount(at::tensor(batch.samples, at::kInt), {}, batch.num_samples()).to(device, at::kLong);
  mask_ = batch.mask.to(options);
  in_loss_ = mask_ > 0;
  loss_lengths_ = sum(mask_);
}

at::Tensor Pairs::keep(const at::Tensor& values) const { return at::where(in_loss_, values.to(options_), at::zeros({}, options_)); }

at::Tensor Pairs::sum(const at::Tensor& values) const { return ops::segment_sum(values, lengths_); }

at::Tensor Pairs::loss_mean(const at::Tensor& values) const { return sum(values) / loss_lengths_.clamp_min(1); }

at::Tensor Pairs::mean(const at::Tensor& values) const { return sum(values) / lengths_; }

at::Tensor Pairs::spread(const at::Tensor& per_sample) const { return ops::repeat_segments(per_sample, samples_, lengths_); }

}  // namespace grpo
