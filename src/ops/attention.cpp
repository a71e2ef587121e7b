#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "ops/check.h"
#include "ops/ops.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Segments = std::vector<kernels::AttentionSegment>;

kernels::AttentionShape shape_of(const HeadLayout& heads) {
  return {heads.heads, heads.kv_heads, heads.head_dim, heads.window, 1.0F / std::sqrt(static_cast<float>(heads.head_dim))};
}

/// Segments travel through the autograd context as an [S, 4] tensor.
at::Tensor to_tensor(const std::vector<PackedTokens::Segment>& segments) {
  at::Tensor t = at::empty({static_cast<int64_t>(segments.size()), 4}, at::kLong);
  auto* p = t.mutable_data_ptr<int64_t>();
  for (const auto& s : segments) {
    for (const int64_t value : {s.begin, s.end, s.prefix_begin, s.prefix_end}) *p++ = value;
  }
  return t;
}

const kernels::AttentionSegment* segments_of(const at::Tensor& t) {
  static_assert(sizeof(kernels::AttentionSegment) == 4 * sizeof(int64_t));
  return reinterpret_cast<const kernels::AttentionSegment*>(t.const_data_ptr<int64_t>());
}

struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const at::Tensor& segments, const HeadLayout& heads) {
    const auto shape = shape_of(heads);
    GRPO_CHECK(qkv.dim() == 2 && qkv.size(1) == shape.row_stride(), "attention", "expected qkv [N, (H+2K) d]");
    at::Tensor y = at::empty({qkv.size(0), shape.heads * shape.head_dim}, qkv.options()),
               lse = at::empty({qkv.size(0), shape.heads}, qkv.options());
    train_kernels().attention(in(qkv, "attention"), out(y), out(lse), segments_of(segments), segments.size(0), shape);
    ctx->save_for_backward({qkv, segments, y, lse});
    ctx->saved_data["heads"] = std::vector<int64_t>{heads.heads, heads.kv_heads, heads.head_dim, heads.window};
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto h = ctx->saved_data["heads"].toIntVector();
    const at::Tensor dy = grads[0].contiguous();
    at::Tensor dqkv = at::zeros_like(saved[0]);
    train_kernels().attention_backward(in(dy, "attention"), in(saved[0], "attention"), in(saved[2], "attention"), in(saved[3], "attention"),
                                       out(dqkv), segments_of(saved[1]), saved[1].size(0), shape_of({h[0], h[1], h[2], h[3]}));
    return {dqkv, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor attention(const at::Tensor& qkv, const PackedLayout& layout, const HeadLayout& heads) {
  return Attention::apply(qkv, to_tensor(layout.segments), heads);
}

}  // namespace grpo::ops
