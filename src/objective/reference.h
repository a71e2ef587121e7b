#pragma once

#include <memory>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/dist/communicator.h"
#include "grpo/objective/config.h"
#include "objective/trained_models.h"

namespace grpo {

/// The policy that the KL is measured against: none with beta 0; under LoRA the policy's own base; else a copy of the weights that the
/// policy had at the start, refreshed where `sync_ref_model` says so: reference ← alpha policy + (1 − alpha) reference every so many steps
/// (TR-DPO, Gorbatovski et al., 2404.09656, eq. 4; alpha 1 is the hard update, and DeepSeek-R1's every 400 steps). With
/// `offload_ref_model` a copy on a GPU is made anew from weights in host memory for each use.
class ReferencePolicy {
 public:
  /// `needed`: there is one with beta 0 too.
  ReferencePolicy(Transformer& policy, const AlgorithmSection& config, bool needed = false);

  bool present() const { return present_; }
  /// Its log-probs for a batch that all ranks have, [M]. Every rank calls it.
  at::Tensor logprobs(const Batch& batch, double temperature, int64_t max_tokens, Communicator& communicator);
  /// After optimiser step `step` (1 = first). Gives whether it refreshed.
  bool end_step(int64_t step);
  /// What a checkpoint must keep: the copy, once it may differ from the policy's first weights.
  std::vector<TrainedModel> models();

 private:
  std::vector<ParameterArena*> weights();

  Transformer& policy_;
  bool present_, moves_;
  double alpha_;
  int64_t every_;
  std::unique_ptr<Transformer> copy_;                     // null where there is none, under LoRA, and where its weights are on the host
  std::vector<std::unique_ptr<ParameterArena>> on_host_;  // empty elsewhere
};

}  // namespace grpo
