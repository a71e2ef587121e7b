#include "objective/reference.h"

#include <c10/core/GradMode.h>

#include "grpo/core/error.h"
#include "objective/no_grad.h"
#include "ops/ops.h"

namespace grpo {

ReferencePolicy::ReferencePolicy(Transformer& policy, const AlgorithmSection& config, bool needed)
    : policy_(policy),
      present_(needed || config.loss.beta > 0.0),
      moves_(present_ && config.sync_ref_model),
      alpha_(config.ref_model_mixup_alpha),
      every_(config.ref_model_sync_steps) {
  if (moves_ && policy.has_adapter())
    fail_usage("sync_ref_model", "expected a model without adapters; under LoRA the base is the reference, and it does not move");
  if (!present_ || policy.has_adapter()) return;
  if (!config.offload_ref_model || !ops::on_cuda(policy.device())) {
    copy_ = frozen_copy(policy);
    return;
  }
  const c10::NoGradGuard no_grad;
  for (const auto* arena : policy.parameters()) {
    on_host_.push_back(std::make_unique<ParameterArena>(arena->name(), arena->slots(), policy.dtype(), at::kCPU));
    at::Tensor(on_host_.back()->flat()).copy_(arena->flat());
  }
}

std::vector<ParameterArena*> ReferencePolicy::weights() {
  if (copy_) return copy_->parameters();
  std::vector<ParameterArena*> arenas;
  for (const auto& arena : on_host_) arenas.push_back(arena.get());
  return arenas;
}

at::Tensor ReferencePolicy::logprobs(const Batch& batch, double temperature, int64_t max_tokens, Communicator& communicator) {
  const LogprobOptions options{.temperature = temperature, .adapter = false};
  const auto visitor = on_host_.empty() ? nullptr : frozen_copy(policy_, weights());
  Transformer& model = visitor ? *visitor : copy_ ? *copy_ : policy_;
  return outputs_of_all_ranks(model, batch, options, max_tokens, communicator).logprobs;
}

bool ReferencePolicy::end_step(int64_t step) {
  if (!moves_ || step % every_ != 0) return false;
  const c10::NoGradGuard no_grad;
  const auto from = policy_.parameters(), to = weights();
  for (size_t i = 0; i < from.size(); ++i) {
    at::Tensor mixed = to[i]->flat();
    mixed.mul_(1.0 - alpha_).add_(from[i]->flat().to(mixed.device()), alpha_);
  }
  return true;
}

std::vector<TrainedModel> ReferencePolicy::models() {
  if (!moves_) return {};
  return {{.name = "reference", .arenas = weights(), .optim = {}}};
}

}  // namespace grpo
