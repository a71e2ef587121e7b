#include <c10/core/GradMode.h>

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "model/impl.h"

namespace grpo {
namespace {

/// One layer's piece of the graph, cut at its detached input; `output` is undefined where the layer is computed again in the backward.
struct Segment {
  at::Tensor input, output;
};

at::Tensor detached_leaf(const at::Tensor& x) { return x.defined() ? x.detach().set_requires_grad(true) : x; }

/// Bytes that one layer's graph keeps: normed inputs, qkv twice, attention output, gate and up, their product, residual sums.
int64_t kept_bytes(const ModelConfig& c, int64_t tokens, int64_t element_size) {
  return tokens * element_size * (4 * c.hidden_size + 2 * c.qkv_size() + c.q_size() + 3 * c.intermediate_size);
}

bool recompute_layers(const ModelConfig& c, int64_t tokens, int64_t element_size, const BackwardOptions& options) {
  if (options.recompute != Recompute::kAuto) return options.recompute == Recompute::kAll;
  return c.num_hidden_layers * kept_bytes(c, tokens, element_size) > options.activation_budget;
}

LogprobOptions wanted(const BackwardOptions& options) {
  return {.temperature = options.temperature, .entropy = options.logprobs, .logprobs = options.logprobs, .values = options.values};
}

void call(const std::function<void(size_t)>& hook, size_t arena) {
  if (hook) hook(arena);
}

/// The loss of leaf tensors in place of the head's outputs, then back through the head.
at::Tensor back_through_head(const TokenOutputs& out, const std::function<at::Tensor(const TokenOutputs&)>& loss_fn) {
  const TokenOutputs leaves{detached_leaf(out.logprobs), detached_leaf(out.entropy), detached_leaf(out.values)};
  at::Tensor loss = loss_fn(leaves);
  GRPO_CHECK(loss.defined() && loss.numel() == 1, "forward_backward", "expected loss_fn to give a scalar");
  if (loss.requires_grad()) ops::backward({loss});
  std::vector<at::Tensor> roots, grads;
  for (const auto member : {&TokenOutputs::logprobs, &TokenOutputs::entropy, &TokenOutputs::values}) {
    const at::Tensor& leaf = leaves.*member;
    if (!leaf.defined() || !leaf.grad().defined()) continue;
    roots.push_back(out.*member);
    grads.push_back(leaf.grad());
  }
  if (!roots.empty()) ops::backward(roots, grads);
  return loss;
}

}  // namespace

at::Tensor Transformer::forward_backward(const PackedTokens& batch, const std::function<at::Tensor(const TokenOutputs&)>& loss_fn,
                                         const BackwardOptions& options, const LayerHooks& hooks) try {
  GRPO_CHECK(batch.num_pairs() > 0, "forward_backward", "expected at least one (row, target) pair; got a batch with none");
  for (auto* arena : trainable()) arena->flat_grad();
  if (options.values && value_head() != nullptr) value_head()->flat_grad();
  const Impl& m = *impl_;
  const size_t count = m.layers.size(), head_arena = count + 1;
  const BatchInputs in = m.inputs(batch, config_);
  ops::ProductOptions products = product_options(compute_);
  products.into_grad = true;
  const bool recompute = recompute_layers(config_, batch.num_tokens(), static_cast<int64_t>(c10::elementSize(dtype())), options);

  // Forward, layer by layer; arenas are numbered embedding 0, layers 1 …, head last.
  const c10::AutoGradMode no_grad(false);
  call(hooks.before_forward, 0);
  at::Tensor x = ops::gather_rows(m.embedding->leaf(0), in.tokens);
  call(hooks.after_forward, 0);
  std::vector<Segment> segments(count);
  for (size_t i = 0; i < count; ++i) {
    call(hooks.before_forward, i + 1);
    segments[i].input = detached_leaf(x);
    const c10::AutoGradMode graph(!recompute);
    const at::Tensor y = m.layer(config_, i, segments[i].input, in.layout, products);
    if (!recompute) segments[i].output = y;
    x = y.detach();
    call(hooks.after_forward, i + 1);
  }

  // Head and loss on leaf tensors, then back through the head.
  call(hooks.before_forward, head_arena);
  call(hooks.before_backward, head_arena);
  const at::Tensor last = detached_leaf(x);
  at::Tensor loss;
  {
    const c10::AutoGradMode graph(true);
    const TokenOutputs out = m.outputs(config_, last, in, wanted(options), view_.vocab_limit, products);
    loss = back_through_head(out, loss_fn);
    if (!last.grad().defined()) return loss.detach();  // a constant loss: every gradient is zero
  }
  at::Tensor gradient = last.grad();
  call(hooks.after_backward, head_arena);

  for (size_t i = count; i-- > 0;) {
    call(hooks.before_backward, i + 1);
    Segment& segment = segments[i];
    if (!segment.output.defined()) {
      const c10::AutoGradMode graph(true);
      segment.output = m.layer(config_, i, segment.input, in.layout, products);
    }
    ops::backward({segment.output}, {gradient});
    gradient = segment.input.grad();
    segment = {};
    call(hooks.after_backward, i + 1);
  }
  call(hooks.before_backward, 0);
  if (!m.embedding->frozen()) ops::add_rows(gradient, in.tokens, m.embedding->leaf(0).grad());
  call(hooks.after_backward, 0);
  return loss.detach();
} catch (...) {
  rethrow_as_error("Transformer::forward_backward");
}

}  // namespace grpo
