#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::TensorOptions floats_beside(const at::Tensor& x) { return x.options().dtype(at::kFloat); }

/// Sums of a weight's gradient, float32 whatever the weight's type.
at::Tensor gradient_sums(const at::Tensor& weight) { return at::zeros(weight.sizes(), floats_beside(weight)); }

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, double eps) {
    GRPO_CHECK(x.dim() == 2 && weight.dim() == 1 && weight.size(0) == x.size(1), "rms_norm", "expected x [N, D] and weight [D]");
    at::Tensor y = at::empty_like(x), rstd = at::empty({x.size(0)}, floats_beside(x));
    backend(x).rms_norm(x, weight, eps, y, rstd);
    ctx->save_for_backward({x, weight, rstd});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], dy = grads[0].contiguous();
    at::Tensor dx = at::empty_like(x), dweight = gradient_sums(weight);
    backend(x).rms_norm_backward(dy, x, weight, saved[2], dx, dweight);
    return {dx, dweight.to(weight.scalar_type()), at::Tensor()};
  }
};

struct QkNormRope : torch::autograd::Function<QkNormRope> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const at::Tensor& q_norm, const at::Tensor& k_norm,
                            const at::Tensor& cos, const at::Tensor& sin, const at::Tensor& positions, const HeadLayout& heads,
                            double eps) {
    GRPO_CHECK(qkv.dim() == 2 && qkv.size(1) == (heads.heads + 2 * heads.kv_heads) * heads.head_dim && positions.numel() == qkv.size(0),
               "qk_norm_rope", "expected qkv [N, (H+2K) d] and N positions");
    const int64_t normed = q_norm.numel() > 0 ? qkv.size(0) * (heads.heads + heads.kv_heads) : 0;
    const QkNormInput in{qkv, q_norm, k_norm, cos, sin, positions, at::empty({normed}, floats_beside(qkv)), heads};
    at::Tensor y = at::empty_like(qkv);
    backend(qkv).qk_norm_rope(in, eps, y);
    ctx->save_for_backward({qkv, q_norm, k_norm, cos, sin, positions, in.rstd});
    ctx->saved_data["heads"] = std::vector<int64_t>{heads.heads, heads.kv_heads, heads.head_dim, heads.window};
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto s = ctx->get_saved_variables();
    const auto h = ctx->saved_data["heads"].toIntVector();
    const QkNormInput in{s[0], s[1], s[2], s[3], s[4], s[5], s[6], {h[0], h[1], h[2], h[3]}};
    at::Tensor dqkv = at::empty_like(in.qkv), dq = gradient_sums(in.q_norm), dk = gradient_sums(in.k_norm);
    backend(in.qkv).qk_norm_rope_backward(grads[0].contiguous(), in, dqkv, dq, dk);
    const at::Tensor none;
    return {dqkv, dq.to(in.q_norm.scalar_type()), dk.to(in.k_norm.scalar_type()), none, none, none, none, none};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) { return RmsNorm::apply(x, weight, eps); }

at::Tensor qk_norm_rope(const at::Tensor& qkv, const at::Tensor& q_norm, const at::Tensor& k_norm, const at::Tensor& cos,
                        const at::Tensor& sin, const PackedLayout& layout, const HeadLayout& heads, double eps) {
  // Autograd functions take no undefined tensors: an empty one stands for an absent weight.
  const auto present = [&qkv](const at::Tensor& weight) { return weight.defined() ? weight : at::empty({0}, qkv.options()); };
  return QkNormRope::apply(qkv, present(q_norm), present(k_norm), cos, sin, layout.positions, heads, eps);
}

}  // namespace grpo::ops
