#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/logaddexp.h>

#include "attention_scale.h"
#include "ops/cuda_parts.h"
#include "ops/cuda_tensors.h"
#include "ops/cuda_torch.h"

// Attention over packed segments: torch's flash attention where it can, else the kernels of train_attention.cu. With prefixes, flash
// attention runs twice, over each segment's own rows and over completions that see their prefix, and the two are merged by log-sum-exp;
// given the merged output, each backward yields its keys' part of the whole gradient.
namespace grpo::ops::cuda {
namespace {

/// A window reaches over the prefix's end into it, which two separate calls cannot say.
bool flashes(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) {
  return qkv.scalar_type() == at::kBFloat16 && heads.head_dim % 8 == 0 && heads.head_dim <= 256 &&
         (heads.window == 0 || !plan.has_prefixes()) && has_flash();
}

kernels::PackedAttention packed(const at::Tensor& qkv, const AttentionOutput& result, const AttentionPlan& plan, const HeadLayout& heads) {
  static_assert(sizeof(kernels::AttentionSegment) == 4 * sizeof(int64_t));
  return {.qkv = in(qkv, qkv),
          .out = out(result.out, qkv),
          .lse = result.lse.mutable_data_ptr<float>(),
          .segments = reinterpret_cast<const kernels::AttentionSegment*>(plan.table.const_data_ptr<int64_t>()),
          .num_segments = plan.table.size(0),
          .rows = plan.rows,
          .longest = plan.longest,
          .heads = heads.heads,
          .kv_heads = heads.kv_heads,
          .head_dim = heads.head_dim,
          .window = heads.window,
          .scale = kernels::attention_scale(heads.head_dim)};
}

at::Tensor by_head(const at::Tensor& rows, const HeadLayout& heads) { return rows.view({rows.size(0), -1, heads.head_dim}); }

FlashInput own_rows(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) {
  const auto parts = by_head(qkv, heads).split_with_sizes({heads.heads, heads.kv_heads, heads.kv_heads}, 1);
  return {parts[0],     parts[1],     parts[2], plan.offsets, plan.offsets,
          plan.longest, plan.longest, true,     heads.window, kernels::attention_scale(heads.head_dim)};
}

FlashInput prefix_rows(const FlashInput& own, const AttentionPlan& plan) {
  return {own.query.index_select(0, plan.query_rows),
          own.key.index_select(0, plan.key_rows),
          own.value.index_select(0, plan.key_rows),
          plan.query_offsets,
          plan.key_offsets,
          plan.longest_query,
          plan.longest_key,
          false,
          0,
          own.scale};
}

/// `own` of the rows that see a prefix becomes the softmax over both.
void merge(FlashOutput& own, const FlashOutput& prefix, const at::Tensor& rows) {
  const at::Tensor before = own.lse.index_select(1, rows), lse = at::logaddexp(before, prefix.lse);
  const auto weight = [&lse](const at::Tensor& part) { return (part - lse).exp().t().unsqueeze(-1); };         // [Q, H, 1]
  const at::Tensor merged = own.out.index_select(0, rows) * weight(before) + prefix.out * weight(prefix.lse);  // float32
  own.out.index_copy_(0, rows, merged.to(own.out.scalar_type()));
  own.lse.index_copy_(1, rows, lse);
}

AttentionOutput flash(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) {
  const FlashInput own = own_rows(qkv, plan, heads);
  FlashOutput result = flash_forward(own);
  if (plan.has_prefixes()) merge(result, flash_forward(prefix_rows(own, plan)), plan.query_rows);
  return {result.out.reshape({plan.rows, -1}), result.lse};
}

at::Tensor flash_gradient(const at::Tensor& dout, const at::Tensor& qkv, const AttentionOutput& forward, const AttentionPlan& plan,
                          const HeadLayout& heads) {
  const FlashInput own = own_rows(qkv, plan, heads);
  const FlashOutput whole{by_head(forward.out, heads), forward.lse};
  FlashGradient gradient = flash_backward(own, by_head(dout, heads), whole);
  if (plan.has_prefixes()) {
    const at::Tensor &queries = plan.query_rows, &keys = plan.key_rows;
    const FlashOutput seen{whole.out.index_select(0, queries), whole.lse.index_select(1, queries)};
    const FlashGradient more = flash_backward(prefix_rows(own, plan), by_head(dout, heads).index_select(0, queries), seen);
    gradient.query.index_add_(0, queries, more.query);
    gradient.key.index_add_(0, keys, more.key);
    gradient.value.index_add_(0, keys, more.value);
  }
  return at::cat({gradient.query, gradient.key, gradient.value}, 1).view(qkv.sizes());
}

}  // namespace

AttentionOutput attention(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) {
  if (flashes(qkv, plan, heads)) return flash(qkv, plan, heads);
  AttentionOutput result{at::empty({plan.rows, heads.heads * heads.head_dim}, qkv.options()),
                         at::empty({plan.rows, heads.heads}, qkv.options().dtype(at::kFloat))};
  kernels_of(qkv).attention(packed(qkv, result, plan, heads), current_stream());
  return result;
}

at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const AttentionOutput& forward, const AttentionPlan& plan,
                              const HeadLayout& heads) {
  if (flashes(qkv, plan, heads)) return flash_gradient(dout, qkv, forward, plan, heads);
  at::Tensor dqkv = at::empty_like(qkv), delta = at::empty_like(forward.lse);
  kernels_of(qkv).attention_backward(packed(qkv, forward, plan, heads),
                                     {.dout = in(dout, qkv), .dqkv = out(dqkv, qkv), .delta = delta.mutable_data_ptr<float>()},
                                     current_stream());
  return dqkv;
}

}  // namespace grpo::ops::cuda
