#include "pairs.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "grpo/core/error.h"

namespace grpo {
namespace {

at::Tensor segment_sum(const at::Tensor& values, const at::Tensor& lengths) {
  return at::segment_reduce(values, "sum", lengths, {}, {}, 0, /*unsafe=*/true, 0);
}

/// index_select would add up its gradient with atomics on CUDA; a sequence's pairs are adjacent, so a segment sum does.
struct Spread : torch::autograd::Function<Spread> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& per_sample, const at::Tensor& samples,
                            const at::Tensor& lengths) {
    context->save_for_backward({lengths});
    return per_sample.index_select(0, samples);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list grads) {
    return {segment_sum(grads[0].contiguous(), context->get_saved_variables()[0]), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Pairs::Pairs(const Batch& batch, const at::TensorOptions& options) : options_(options) {
  const auto device = options.device();
  samples_ = at::tensor(batch.samples, at::kInt).to(device, at::kLong);
  lengths_ = at::bincount(at::tensor(batch.samples, at::kInt), {}, batch.num_samples()).to(device, at::kLong);
  mask_ = batch.mask.to(options);
  in_loss_ = mask_ > 0;
  loss_lengths_ = sum(mask_);
}

at::Tensor Pairs::keep(const at::Tensor& values) const { return at::where(in_loss_, values.to(options_), at::zeros({}, options_)); }

at::Tensor Pairs::sum(const at::Tensor& values) const { return segment_sum(values, lengths_); }

at::Tensor Pairs::loss_mean(const at::Tensor& values) const { return sum(values) / loss_lengths_.clamp_min(1); }

at::Tensor Pairs::mean(const at::Tensor& values) const { return sum(values) / lengths_; }

at::Tensor Pairs::spread(const at::Tensor& per_sample) const { return Spread::apply(per_sample, samples_, lengths_); }

}  // namespace grpo
