#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "ops/check.h"
#include "ops/ops.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

float* optional_out(at::Tensor& t) { return t.defined() && t.numel() > 0 ? t.mutable_data_ptr<float>() : nullptr; }

kernels::LogprobHead head_of(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double temperature,
                             int64_t limit, bool bf16, bool exact) {
  return {.hidden = in(hidden, "linear_logprob"),
          .weight = in(weight, "linear_logprob"),
          .targets = targets.const_data_ptr<int32_t>(),
          .rows = hidden.size(0),
          .dim = hidden.size(1),
          .limit = limit,
          .inverse_temperature = static_cast<float>(1.0 / temperature),
          .precision = bf16 ? kernels::Precision::kBfloat16 : kernels::Precision::kFloat32,
          .exact = exact};
}

struct LinearLogprob : torch::autograd::Function<LinearLogprob> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                               double temperature, int64_t limit, bool with_entropy, const ProductOptions& options) {
    GRPO_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && targets.numel() == hidden.size(0),
               "linear_logprob", "expected hidden [M, D], weight [V, D] and M targets");
    const int64_t rows = hidden.size(0), vocab = weight.size(0);
    const auto* ids = targets.const_data_ptr<int32_t>();
    GRPO_CHECK(std::all_of(ids, ids + rows, [&](int32_t id) { return id >= 0 && id < vocab; }), "linear_logprob",
               "expected target ids below " + std::to_string(vocab));
    at::Tensor logprobs = at::empty({rows}, hidden.options()), lse = at::empty_like(logprobs);
    at::Tensor entropy = at::empty({with_entropy ? rows : 0}, hidden.options());  // autograd functions give no undefined tensors
    const bool bf16 = options.precision == kernels::Precision::kBfloat16;
    train_kernels().linear_logprob(head_of(hidden, weight, targets, temperature, limit, bf16, options.exact), out(logprobs), out(lse),
                                   optional_out(entropy));
    ctx->save_for_backward({hidden, weight, targets, lse, entropy});
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["limit"] = limit;
    ctx->saved_data["bf16"] = bf16;
    ctx->saved_data["into_grad"] = options.into_grad;
    ctx->set_materialize_grads(false);
    return {logprobs, entropy};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight = saved[1], &targets = saved[2], &lse = saved[3], &entropy = saved[4];
    const at::Tensor dlogprobs = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(lse);
    const at::Tensor dentropy = grads[1].defined() ? grads[1].contiguous() : at::Tensor();
    const bool into_grad = ctx->saved_data["into_grad"].toBool();
    at::Tensor dhidden = at::empty_like(hidden), dweight;  // none of a frozen weight
    if (ctx->needs_input_grad(1)) dweight = into_grad ? weight.grad() : at::zeros_like(weight);
    const auto head = head_of(hidden, weight, targets, ctx->saved_data["temperature"].toDouble(), ctx->saved_data["limit"].toInt(),
                              ctx->saved_data["bf16"].toBool(), false);
    train_kernels().linear_logprob_backward(head, {.lse = in(lse, "linear_logprob"),
                                                   .entropy = dentropy.defined() ? in(entropy, "linear_logprob") : nullptr,
                                                   .dlogprobs = in(dlogprobs, "linear_logprob"),
                                                   .dentropy = dentropy.defined() ? in(dentropy, "linear_logprob") : nullptr,
                                                   .dhidden = out(dhidden),
                                                   .dweight = optional_out(dweight)});
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
