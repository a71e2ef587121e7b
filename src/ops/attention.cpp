#include <torch/csrc/autograd/custom_function.h>

#include <utility>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using PlanPointer = c10::intrusive_ptr<AttentionPlan>;

struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const PlanPointer& plan, const HeadLayout& heads) {
    GRPO_CHECK(qkv.dim() == 2 && qkv.size(0) == plan->rows && qkv.size(1) == (heads.heads + 2 * heads.kv_heads) * heads.head_dim,
               "attention", "expected qkv [N, (H+2K) d] for the layout's N rows");
    const AttentionOutput result = backend(qkv).attention(qkv, *plan, heads);
    ctx->save_for_backward({qkv, result.out, result.lse});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    ctx->saved_data["heads"] = std::vector<int64_t>{heads.heads, heads.kv_heads, heads.head_dim, heads.window};
    return result.out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto h = ctx->saved_data["heads"].toIntVector();
    const auto plan = c10::static_intrusive_pointer_cast<AttentionPlan>(ctx->saved_data["plan"].toCapsule());
    return {backend(saved[0]).attention_backward(grads[0].contiguous(), saved[0], {saved[1], saved[2]}, *plan, {h[0], h[1], h[2], h[3]}),
            at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor attention(const at::Tensor& qkv, const PackedLayout& layout, const HeadLayout& heads) {
  return Attention::apply(qkv, layout.attention, heads);
}

}  // namespace grpo::ops
