#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What lies on a GPU is not looked at: whoever put it there has checked it.
void check_targets(const at::Tensor& targets, int64_t vocab) {
  if (!targets.is_cpu()) return;
  const auto* ids = targets.const_data_ptr<int32_t>();
  GRPO_CHECK(std::all_of(ids, ids + targets.numel(), [&](int32_t id) { return id >= 0 && id < vocab; }), "linear_logprob",
             "expected target ids below " + std::to_string(vocab));
}

struct LinearLogprob : torch::autograd::Function<LinearLogprob> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                               double temperature, int64_t limit, bool with_entropy, const ProductOptions& options) {
    GRPO_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && targets.numel() == hidden.size(0),
               "linear_logprob", "expected hidden [M, D], weight [V, D] and M targets");
    check_targets(targets, weight.size(0));
    const int64_t rows = hidden.size(0);
    const auto floats = hidden.options().dtype(at::kFloat);
    HeadOutput out{at::empty({rows}, floats), at::empty({rows}, floats), at::empty({with_entropy ? rows : 0}, floats)};
    backend(hidden).linear_logprob({hidden, weight, targets, temperature, limit, options.precision, options.exact}, out);
    ctx->save_for_backward({hidden, weight, targets, out.lse, out.entropy});
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["limit"] = limit;
    ctx->saved_data["bf16"] = options.precision == kernels::Precision::kBfloat16;
    ctx->saved_data["into_grad"] = options.into_grad;
    ctx->set_materialize_grads(false);
    return {out.logprobs, out.entropy};  // autograd functions give no undefined tensors
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight = saved[1], &lse = saved[3];
    const bool into_grad = ctx->saved_data["into_grad"].toBool();
    const HeadInput in{.hidden = hidden,
                       .weight = weight,
                       .targets = saved[2],
                       .temperature = ctx->saved_data["temperature"].toDouble(),
                       .limit = ctx->saved_data["limit"].toInt(),
                       .precision = ctx->saved_data["bf16"].toBool() ? kernels::Precision::kBfloat16 : kernels::Precision::kFloat32};
    const HeadGradient gradient{.lse = lse,
                                .entropy = saved[4],
                                .dlogprobs = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(lse),
                                .dentropy = grads[1].defined() ? grads[1].contiguous() : at::Tensor()};
    at::Tensor dhidden = at::empty_like(hidden), dweight;  // none of a frozen weight
    if (ctx->needs_input_grad(1)) dweight = into_grad ? weight.grad() : at::zeros_like(weight);
    backend(hidden).linear_logprob_backward(in, gradient, dhidden, dweight);
    if (into_grad) dweight = at::Tensor();
    return {dhidden, dweight, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

LinearLogprobOutput linear_logprob(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double temperature,
                                   int64_t limit, bool entropy, const ProductOptions& options) {
  GRPO_CHECK(temperature > 0.0, "linear_logprob", "expected a temperature above 0; got " + std::to_string(temperature));
  GRPO_CHECK(limit > 0 && limit <= weight.size(0), "linear_logprob",
             "expected a vocabulary limit within the head's rows; got " + std::to_string(limit));
  auto result = LinearLogprob::apply(hidden, weight, targets, temperature, limit, entropy, options);
  return {result[0], entropy ? result[1] : at::Tensor()};
}

}  // namespace grpo::ops
