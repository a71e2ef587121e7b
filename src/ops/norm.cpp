#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/check.h"
#include "ops/ops.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, double eps) {
    GRPO_CHECK(x.dim() == 2 && weight.dim() == 1 && weight.size(0) == x.size(1), "rms_norm", "expected x [N, D] and weight [D]");
    at::Tensor y = at::empty_like(x), rstd = at::empty({x.size(0)}, x.options());
    train_kernels().rms_norm(in(x, "rms_norm"), in(weight, "rms_norm"), out(y), out(rstd), x.size(0), x.size(1), static_cast<float>(eps));
    ctx->save_for_backward({x, weight, rstd});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor dy = grads[0].contiguous();
    at::Tensor dx = at::empty_like(saved[0]), dweight = at::zeros_like(saved[1]);
    train_kernels().rms_norm_backward(in(dy, "rms_norm"), in(saved[0], "rms_norm"), in(saved[1], "rms_norm"), in(saved[2], "rms_norm"),
                                      out(dx), out(dweight), dx.size(0), dx.size(1));
    return {dx, dweight, at::Tensor()};
  }
};

kernels::AttentionShape shape_of(const HeadLayout& heads) { return {heads.heads, heads.kv_heads, heads.head_dim, heads.window, 1.0F}; }

/// Autograd functions take no undefined tensors: an empty one stands for an absent weight.
const float* optional_data(const at::Tensor& t) { return t.numel() > 0 ? in(t, "qk_norm_rope") : nullptr; }

struct QkNormRope : torch::autograd::Function<QkNormRope> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const at::Tensor& q_norm, const at::Tensor& k_norm,
                            const at::Tensor& cos, const at::Tensor& sin, const at::Tensor& positions, const HeadLayout& heads,
                            double eps) {
    const auto shape = shape_of(heads);
    GRPO_CHECK(qkv.dim() == 2 && qkv.size(1) == shape.row_stride() && positions.numel() == qkv.size(0), "qk_norm_rope",
               "expected qkv [N, (H+2K) d] and N positions");
    at::Tensor y = at::empty_like(qkv),
               rstd = at::empty({q_norm.numel() > 0 ? qkv.size(0) * (shape.heads + shape.kv_heads) : 0}, qkv.options());
    train_kernels().qk_norm_rope(in(qkv, "qk_norm_rope"), optional_data(q_norm), optional_data(k_norm), in(cos, "qk_norm_rope"),
                                 in(sin, "qk_norm_rope"), positions.const_data_ptr<int32_t>(), out(y), out(rstd), qkv.size(0), shape,
                                 static_cast<float>(eps));
    ctx->save_for_backward({qkv, q_norm, k_norm, cos, sin, positions, rstd});
    ctx->saved_data["heads"] = std::vector<int64_t>{heads.heads, heads.kv_heads, heads.head_dim, heads.window};
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto h = ctx->saved_data["heads"].toIntVector();
    const at::Tensor dy = grads[0].contiguous(), &q_norm = saved[1], &k_norm = saved[2];
    at::Tensor dqkv = at::empty_like(saved[0]), dq = at::zeros_like(q_norm), dk = at::zeros_like(k_norm);
    train_kernels().qk_norm_rope_backward(in(dy, "qk_norm_rope"), in(saved[0], "qk_norm_rope"), optional_data(q_norm),
                                          optional_data(k_norm), in(saved[3], "qk_norm_rope"), in(saved[4], "qk_norm_rope"),
                                          saved[5].const_data_ptr<int32_t>(), in(saved[6], "qk_norm_rope"), out(dqkv), out(dq), out(dk),
                                          dqkv.size(0), shape_of({h[0], h[1], h[2], h[3]}));
    return {dqkv, dq, dk, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) { return RmsNorm::apply(x, weight, eps); }

at::Tensor qk_norm_rope(const at::Tensor& qkv, const at::Tensor& q_norm, const at::Tensor& k_norm, const at::Tensor& cos,
                        const at::Tensor& sin, const PackedLayout& layout, const HeadLayout& heads, double eps) {
  const auto present = [&qkv](const at::Tensor& weight) { return weight.defined() ? weight : at::empty({0}, qkv.options()); };
  return QkNormRope::apply(qkv, present(q_norm), present(k_norm), cos, sin, layout.positions, heads, eps);
}

}  // namespace grpo::ops
