#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& residual, const ProductOptions& options) {
    GRPO_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1), "linear", "expected x [N, in] and weight [out, in]");
    GRPO_CHECK(bias.numel() == 0 || bias.numel() == weight.size(0), "linear", "expected bias [out]");
    GRPO_CHECK(residual.numel() == 0 || (residual.size(0) == x.size(0) && residual.size(1) == weight.size(0)), "linear",
               "expected residual [N, out]");
    const bool biased = bias.numel() > 0, added = residual.numel() > 0;
    at::Tensor y = added ? residual.clone() : at::empty({x.size(0), weight.size(0)}, x.options());
    backend(x).product({x}, {weight, true}, y, added, options.precision);
    if (biased) y.add_(bias);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bf16"] = options.precision == kernels::Precision::kBfloat16;
    ctx->saved_data["into_grad"] = options.into_grad;
    ctx->saved_data["biased"] = biased;
    ctx->saved_data["added"] = added;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], dy = grads[0].contiguous();
    const auto precision = ctx->saved_data["bf16"].toBool() ? kernels::Precision::kBfloat16 : kernels::Precision::kFloat32;
    const Backend& there = backend(x);
    at::Tensor dx = at::empty_like(x), dweight, dbias;
    there.product({dy}, {weight}, dx, false, precision);
    const bool trained = ctx->needs_input_grad(1);
    if (trained && ctx->saved_data["into_grad"].toBool()) {
      at::Tensor sum = weight.grad();
      there.product({dy, true}, {x}, sum, true, precision);
    } else if (trained) {
      dweight = at::empty_like(weight);
      there.product({dy, true}, {x}, dweight, false, precision);
    }
    if (ctx->saved_data["biased"].toBool()) dbias = at::sum(dy, 0);
    return {dx, dweight, dbias, ctx->saved_data["added"].toBool() ? dy : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ProductOptions& options,
                  const at::Tensor& residual) {
  const auto present = [&x](const at::Tensor& t) { return t.defined() ? t : at::empty({0}, x.options()); };
  return Linear::apply(x, weight, present(bias), present(residual), options);
}

}  // namespace grpo::ops
