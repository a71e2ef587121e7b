#include "grpo/policy/evaluation.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/mean.h"
#include "grpo/core/error.h"
#include "grpo/dist/communicator.h"
#include "policy/gather.h"
#include "policy/sample_line.h"
#include "policy/sampling.h"

namespace grpo {
namespace {

constexpr double kFullScore = 1.0 - 1e-9;  // a sample counts as correct where its function gives all of one point

std::string line_of(const Group& group, size_t number, const RewardSet& rewards) {
  const Sample& sample = group.samples[number];
  nlohmann::ordered_json line = {{"problem", group.problem->index}, {"sample", number},
                                 {"prompt", group.prompt},          {"completion", sample.text},
                                 {"answer", group.problem->answer}, {"finish", to_string(sample.finish)},
                                 {"tokens", sample.ids.size()}};
  add_scores(line, rewards.names, sample);
  return to_printable_text(line);
}

Experience sample_and_score(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
                            const EvaluationOptions& options) {
  const auto communicator = options.communicator ? options.communicator : single_process();
  std::vector<const Problem*> all;
  for (const auto& problem : problems) all.push_back(&problem);
  const RolloutKey key{options.seed, 0};
  const Share share = share_of(static_cast<int64_t>(problems.size()), *communicator);
  Experience mine = begin_groups(policy, all, share, options.prompt, key);
  RewardContext context;
  context.max_completion_length = options.sampling.max_completion_length;
  ThreadPool pool(static_cast<int64_t>(rewards.names.size()));
  interruptible(*communicator, [&] {
    sample_groups(policy, engine, mine, with_turn_end(policy, all, options.prompt, options.sampling), key, options.context);
    score(rewards, mine, context, &pool);
  });
  gather(*communicator, mine, problems);
  return mine;
}

}  // namespace

double pass_at_k(int64_t samples, int64_t correct, int64_t k) {
  GRPO_CHECK(k >= 1 && k <= samples && correct >= 0 && correct <= samples, "pass_at_k", "expected 1 <= k <= n and 0 <= c <= n");
  if (samples - correct < k) return 1.0;
  double none = 1.0;
  for (int64_t i = samples - correct + 1; i <= samples; ++i) none *= 1.0 - static_cast<double>(k) / static_cast<double>(i);
  return 1.0 - none;
}

Metrics evaluate(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems, RewardSet& rewards,
                 const EvaluationOptions& options) {
  GRPO_CHECK(!problems.empty(), "evaluate", "expected at least one problem");
  GRPO_CHECK(!rewards.names.empty(), "evaluate", "expected at least one reward function");
  const Experience groups = sample_and_score(policy, engine, problems, rewards, options);
  const size_t judge = judging_function(rewards.names);
  const int64_t k = options.sampling.num_generations;
  std::vector<Mean> scores(rewards.names.size());
  Mean once, any, length, clipped;
  for (const Group& group : groups) {
    int64_t correct = 0;
    for (size_t i = 0; i < group.samples.size(); ++i) {
      const Sample& sample = group.samples[i];
      for (size_t f = 0; f < scores.size(); ++f) scores[f].add(sample.scores[f].value);
      correct += sample.scores[judge].value >= kFullScore ? 1 : 0;
      length.add(static_cast<double>(sample.ids.size()));
      clipped.add(sample.finish == FinishReason::kLength ? 1.0 : 0.0);
      if (options.on_sample) options.on_sample(line_of(group, i, rewards));
    }
    once.add(pass_at_k(k, correct, 1));
    any.add(pass_at_k(k, correct, k));
  }
  Metrics result;
  for (size_t f = 0; f < scores.size(); ++f) result[rewards.names[f]] = scores[f].result();
  result["pass@1"] = once.result();
  if (k > 1) result["pass@" + std::to_string(k)] = any.result();
  result["mean_length"] = length.result();
  result["clipped_ratio"] = clipped.result();
  result["samples"] = static_cast<double>(count_samples(groups));
  return result;
}

}  // namespace grpo
