#include "grpo/objective/config.h"

#include "grpo/core/config.h"

namespace grpo {
namespace {

void describe_objectives(ConfigVisitor& v, AlgorithmSection& c) {
  v.section("ppo", "Of the objective ppo: generalised advantage estimation and the critic.", [&c](ConfigVisitor& s) {
    describe(s, c.ppo.gae);
    s.field("share_backbone", c.ppo.share_backbone, "The value head sits on the policy itself; else the critic is a model of its own.");
    s.field("vf_coef", c.ppo.vf_coef, "Weight of the value loss beside the policy's where they share a backbone.", kNonNegative);
    s.field("value_warmup_steps", c.ppo.value_warmup_steps, "Optimiser steps in which only the critic learns (VAPO: 50).", kNonNegative);
    s.section("optim", "Of the critic.", [&c](ConfigVisitor& o) { describe(o, c.ppo.optim); });
  });
  v.section("prime", "Of the objective prime: the implicit process reward model.", [&c](ConfigVisitor& s) {
    describe(s, c.prime.prime);
    s.field("outcome_reward", c.prime.outcome_reward,
            "The reward function, in [0, 1], that tells right from wrong; empty = accuracy, or else the first.");
    s.section("optim", "Of the process reward model.", [&c](ConfigVisitor& o) { describe(o, c.prime.optim); });
  });
  v.section("dpo", "Of the objective online_dpo and of grpo dpo.", [&c](ConfigVisitor& s) { describe(s, c.dpo); });
  v.section("expert_iteration", "Of the objective expert_iteration.", [&c](ConfigVisitor& s) {
    s.field("reward_threshold", c.expert_iteration.reward_threshold, "Completions of at least this weighted reward are learnt from.");
    s.field("best_of_group", c.expert_iteration.best_of_group, "Only the best one of each group.");
  });
}

}  // namespace

void describe(ConfigVisitor& v, AlgorithmSection& c) {
  v.part("objective", c.objective, "objective",
         "What is optimised: one of those below, or of your own. rloo, reinforce_plus_plus and remax are grpo with the "
         "advantage_estimator of that name.");
  v.options("objective_options", c.objective_options, "The options of an objective of your own.");
  describe(v, c.loss);
  describe(v, c.advantage);
  v.field("step_reward", c.step_reward, "process_supervision: the reward function whose steps count; empty = the first that gives some.");
  describe_objectives(v, c);
  v.field("generation_batch_size", c.generation_batch_size, "Completions sampled per rollout.", kCount);
  v.field("steps_per_generation", c.steps_per_generation, "Optimiser steps that one pass over a rollout is cut into.", kCount);
  v.field("num_iterations", c.num_iterations, "Passes over a rollout.", kCount);
  v.field("max_staleness", c.max_staleness,
          "Partial rollouts: a group whose first token would be older, in optimiser steps, by the last step that trains on it is dropped; "
          "null: none is.",
          kNonNegative);
  v.field("mask_truncated_completions", c.mask_truncated_completions, "Completions that were cut off do not enter the loss.");
  v.field("sync_ref_model", c.sync_ref_model,
          "Refresh the reference model of the KL while training; without, it stays what it was at the start.");
  v.field("ref_model_mixup_alpha", c.ref_model_mixup_alpha,
          "The refreshed reference is alpha policy + (1 - alpha) reference (TR-DPO, arXiv 2404.09656); 1 copies the policy, as DeepSeek-R1 "
          "does.",
          kFraction);
  v.field("ref_model_sync_steps", c.ref_model_sync_steps, "Optimiser steps between refreshes (DeepSeek-R1: 400).", kPositive);
  v.field(
      "offload_ref_model", c.offload_ref_model,
      "Keep the reference model in host memory, and on the GPU only while its log-probs are computed, once per rollout. Changes nothing on "
      "the CPU, nor under LoRA, where the reference is the base.");
  v.field("dynamic_sampling", c.dynamic_sampling, "Drop groups whose rewards are all equal and sample others instead (DAPO).");
  v.field("dynamic_sampling_rounds", c.dynamic_sampling_rounds, "Refills at most; then training goes on with what there is.", kNonNegative);
  v.field("dynamic_sampling_reward", c.dynamic_sampling_reward, "Judge groups by this reward function alone; empty = by the weighted sum.");
  v.field("accuracy_lower_bound", c.accuracy_lower_bound,
          "Dynamic sampling also drops groups whose mean reward, judged so, is below (PRIME: 0.2).", kFraction);
  v.field("accuracy_upper_bound", c.accuracy_upper_bound, "And above (PRIME: 0.8).", kFraction);
  v.field("replay_fraction", c.replay_fraction, "Share of a rollout's problems that are hard ones seen before, the longest waiting first.",
          kFraction);
  v.field("replay_max_pass_rate", c.replay_max_pass_rate, "A problem is hard where at most this share of its samples was right.",
          kFraction);
  v.field("curriculum_max_pass_rate", c.curriculum_max_pass_rate,
          "Problems of which a larger share was right when last sampled are passed over; 1 = none.", kFraction);
  v.field("pass_rate_reward", c.pass_rate_reward,
          "The reward function, in [0, 1], whose mean over a problem's samples is its pass rate; empty = accuracy, or else the first.");
}

}  // namespace grpo
