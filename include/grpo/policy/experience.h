#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/api.h"
#include "grpo/core/threads.h"
#include "grpo/data/types.h"
#include "grpo/reward/score.h"
#include "grpo/rollout/engine.h"

namespace GRPO_API grpo {

/// A completion of a group's prompt, with all that is known of it.
struct Sample {
  std::vector<int32_t> ids = {};               // stop id or stop string's tokens included
  std::vector<float> logprobs = {};            // nats, one per id, as in Rollout
  std::vector<float> processed_logprobs = {};  // likewise
  FinishReason finish = FinishReason::kLength;
  int64_t born_at_step = 0;                                  // optimiser steps that the weights had seen which sampled its first id
  std::string text = {};                                     // its ids decoded, special tokens skipped
  std::vector<Score> scores = {};                            // by reward function; empty before it is scored
  double reward = std::numeric_limits<double>::quiet_NaN();  // the weighted sum of its scores; NaN: no verdict
};

/// A problem's prompt and the completions that were sampled of it. A sample is known by its place: it has no number of its own.
struct Group {
  int64_t item = 0;                  // the problem's place in the data
  const Problem* problem = nullptr;  // the problem there
  RolloutKey key = {};               // with `stream`, what the samples' random numbers come from
  int64_t stream = 0;                // Problem::index, and above bit 40 how often the problem came before in the same call
  std::string prompt = {};           // the text after the template
  std::vector<int32_t> prompt_ids = {};
  std::vector<Sample> samples = {};                                 // empty before it is sampled
  double greedy_reward = std::numeric_limits<double>::quiet_NaN();  // of the greedy completion, if an estimator asks for it
};

/// What a policy has sampled, and what rewards say of it: what is trained on.
using Experience = std::vector<Group>;

int64_t count_samples(const Experience& experience);
/// Tokens of the completions.
double count_tokens(const Experience& experience);
double count_tokens(const Group& group);

/// What rewards see of the samples, group after group.
std::vector<Completion> completions_of(const Experience& experience);

/// Scores every sample, see `score_all`.
void score(RewardSet& rewards, Experience& experience, RewardContext& context, ThreadPool* pool = nullptr);

/// Packs the samples: group g of the batch is experience[g]. `advantages` is [B], one per sample, [M], one per id, or undefined. Throws as
/// `make_batch` of rollouts does.
Batch make_batch(const Experience& experience, const at::Tensor& advantages, const BatchOptions& options = {});

/// The samples' rewards, [B] float64; by reward function, [B, F] float64; and each one's group, [B]. NaN if there is no verdict.
at::Tensor rewards_of(const Experience& experience);
at::Tensor scores_of(const Experience& experience);
std::vector<int64_t> groups_of(const Experience& experience);

}  // namespace grpo
