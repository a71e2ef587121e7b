#include "trainer/reference.h"

#include <c10/core/GradMode.h>

#include "trainer/frozen.h"

namespace grpo {

ReferencePolicy::ReferencePolicy(Transformer& policy, const AlgorithmSection& config, bool needed)
    : policy_(policy),
      present_(needed || config.loss.beta > 0.0),
      moves_(present_ && config.sync_ref_model),
      alpha_(config.ref_model_mixup_alpha),
      every_(config.ref_model_sync_steps) {
  if (present_ && !policy.has_adapter()) copy_ = frozen_copy(policy);
}

at::Tensor ReferencePolicy::logprobs(const Batch& batch, double temperature, int64_t max_tokens, Communicator& communicator) {
  LogprobOptions options{.temperature = temperature, .adapter = false};
  return shared_outputs(copy_ ? *copy_ : policy_, batch, options, max_tokens, communicator).logprobs;
}

bool ReferencePolicy::end_step(int64_t step) {
  if (!moves_ || step % every_ != 0) return false;
  const c10::NoGradGuard no_grad;
  const auto from = policy_.parameters(), to = copy_->parameters();
  for (size_t i = 0; i < from.size(); ++i) at::Tensor(to[i]->flat()).mul_(1.0 - alpha_).add_(from[i]->flat(), alpha_);
  copy_->bump_version();
  return true;
}

std::vector<SideModel> ReferencePolicy::models() {
  if (!moves_) return {};
  return {{.name = "reference", .arenas = copy_->parameters(), .on_write = [this] { copy_->bump_version(); }}};
}

}  // namespace grpo
