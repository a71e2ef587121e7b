#include "objective/no_grad.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <numeric>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/model/lora.h"
#include "policy/gather.h"

namespace grpo {
namespace {

constexpr at::Tensor TokenOutputs::*kMembers[] = {&TokenOutputs::logprobs, &TokenOutputs::entropy, &TokenOutputs::values};

bool asked(at::Tensor TokenOutputs::*member, const LogprobOptions& options) {
  if (member == &TokenOutputs::values) return options.values;
  return options.logprobs && (member == &TokenOutputs::logprobs || options.entropy);
}

}  // namespace

TokenOutputs outputs_without_grad(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens) {
  const c10::NoGradGuard no_grad;
  std::vector<TokenOutputs> parts;
  for (const auto& micro : batch.split({.max_tokens = max_tokens})) {
    if (abandon_requested()) fail_interrupted("train", "a signal asked to stop");
    parts.push_back(model.logprobs(micro, options));
  }
  TokenOutputs whole;
  for (const auto member : kMembers) {
    if (!asked(member, options)) continue;
    std::vector<at::Tensor> tensors;
    for (const auto& part : parts) tensors.push_back(part.*member);
    whole.*member = at::cat(tensors).to(at::kCPU);  // where batches are
  }
  return whole;
}

TokenOutputs outputs_of_all_ranks(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens,
                                  Communicator& communicator) {
  if (communicator.world_size() == 1) return outputs_without_grad(model, batch, options, max_tokens);
  const Share share = share_of(batch.num_sequences(), communicator);
  TokenOutputs whole;
  interruptible(communicator, [&] {
    if (share.size() == 0) return;
    std::vector<int64_t> chosen(static_cast<size_t>(share.size()));
    std::iota(chosen.begin(), chosen.end(), share.begin);
    whole = outputs_without_grad(model, batch.select(chosen), options, max_tokens);
  });
  for (const auto member : kMembers) {
    if (!asked(member, options)) continue;
    at::Tensor& mine = whole.*member;
    mine = gather(communicator, mine.defined() ? mine : at::empty({0}, at::kFloat));
  }
  return whole;
}

std::unique_ptr<Transformer> frozen_copy(Transformer& model) {
  const c10::NoGradGuard no_grad;
  auto copy = frozen_copy(model, model.parameters());
  if (!model.has_adapter()) return copy;
  copy->add_adapter(model.lora());
  const auto from = model.adapter_parameters(), to = copy->adapter_parameters();
  for (size_t i = 0; i < from.size(); ++i) at::Tensor(to[i].value).copy_(from[i].value);
  merge_adapter(*copy);
  return copy;
}

std::unique_ptr<Transformer> frozen_copy(Transformer& model, const std::vector<ParameterArena*>& arenas) {
  const c10::NoGradGuard no_grad;
  auto copy = std::make_unique<Transformer>(model.config(), model.dtype(), model.device());
  const auto to = copy->parameters();
  for (size_t i = 0; i < arenas.size(); ++i) at::Tensor(to[i]->flat()).copy_(arenas[i]->flat());
  copy->set_vocab_limit(model.vocab_limit());
  copy->set_compute(model.compute());
  return copy;
}

}  // namespace grpo
