#include "grpo/policy/experience.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "grpo/core/error.h"

namespace grpo {

int64_t count_samples(const Experience& experience) {
  int64_t samples = 0;
  for (const Group& group : experience) samples += static_cast<int64_t>(group.samples.size());
  return samples;
}

double count_tokens(const Group& group) {
  double tokens = 0.0;
  for (const Sample& sample : group.samples) tokens += static_cast<double>(sample.ids.size());
  return tokens;
}

double count_tokens(const Experience& experience) {
  double tokens = 0.0;
  for (const Group& group : experience) tokens += count_tokens(group);
  return tokens;
}

std::vector<Completion> completions_of(const Experience& experience) {
  std::vector<Completion> completions;
  for (const Group& group : experience) {
    for (size_t i = 0; i < group.samples.size(); ++i) {
      const Sample& sample = group.samples[i];
      completions.push_back({.problem = group.problem,
                             .prompt = group.prompt,
                             .text = sample.text,
                             .ids = sample.ids,
                             .finish = sample.finish,
                             .sample = static_cast<int64_t>(i)});
    }
  }
  return completions;
}

void score(RewardSet& rewards, Experience& experience, RewardContext& context, ThreadPool* pool) try {
  auto verdicts = score_all(rewards, completions_of(experience), context, pool);
  auto verdict = verdicts.begin();
  for (Group& group : experience) {
    for (Sample& sample : group.samples) {
      sample.scores = std::move(verdict->scores);
      sample.reward = verdict->reward;
      ++verdict;
    }
  }
} catch (...) {
  rethrow_as_error("score");
}

Batch make_batch(const Experience& experience, const at::Tensor& advantages, const BatchOptions& options) try {
  std::vector<Sequence> sequences;
  for (size_t g = 0; g < experience.size(); ++g) {
    const Group& group = experience[g];
    for (size_t i = 0; i < group.samples.size(); ++i) {
      const Sample& sample = group.samples[i];
      sequences.push_back({.group = static_cast<int64_t>(g),
                           .sample = static_cast<int64_t>(i),
                           .stream = group.stream,
                           .prompt_ids = group.prompt_ids,
                           .ids = sample.ids,
                           .logprobs = sample.logprobs,
                           .finish = sample.finish,
                           .born_at_step = sample.born_at_step});
    }
  }
  return make_batch(sequences, advantages, options);
} catch (...) {
  rethrow_as_error("make_batch");
}

at::Tensor rewards_of(const Experience& experience) try {
  std::vector<double> rewards;
  for (const Group& group : experience) {
    for (const Sample& sample : group.samples) rewards.push_back(sample.reward);
  }
  return at::tensor(rewards, at::kDouble);
} catch (...) {
  rethrow_as_error("rewards_of");
}

at::Tensor scores_of(const Experience& experience) try {
  std::vector<double> scores;
  for (const Group& group : experience) {
    for (const Sample& sample : group.samples) {
      for (const Score& score : sample.scores) scores.push_back(score.value);
    }
  }
  const int64_t samples = count_samples(experience);
  GRPO_CHECK(samples > 0 && static_cast<int64_t>(scores.size()) % samples == 0, "scores_of",
             "expected samples with a score of every function");
  return at::tensor(scores, at::kDouble).view({samples, -1});
} catch (...) {
  rethrow_as_error("scores_of");
}

std::vector<int64_t> groups_of(const Experience& experience) {
  std::vector<int64_t> groups;
  for (size_t g = 0; g < experience.size(); ++g) groups.insert(groups.end(), experience[g].samples.size(), static_cast<int64_t>(g));
  return groups;
}

}  // namespace grpo
