#include "grpo/trainer/evaluation.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "trainer/exchange.h"

namespace grpo {
namespace {

constexpr double kFullScore = 1.0 - 1e-9;  // a sample counts as correct where its function gives all of one point

nlohmann::ordered_json sample_line(const SampledBatch& batch, const ScoredBatch& scores, const RewardSet& rewards, size_t i) {
  const Completion& c = batch.completions[i];
  nlohmann::ordered_json line = {{"problem", c.problem->index}, {"sample", c.sample},          {"prompt", c.prompt},
                                 {"completion", c.text},        {"answer", c.problem->answer}, {"finish", to_string(c.finish)},
                                 {"tokens", c.ids.size()}};
  for (size_t f = 0; f < rewards.names.size(); ++f) {
    const double value = scores.per_function[f][i];
    line["rewards"][rewards.names[f]] = std::isnan(value) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(value);
  }
  return line;
}

size_t judging_function(const RewardSet& rewards) {
  const auto found = std::find(rewards.names.begin(), rewards.names.end(), "accuracy");
  return found == rewards.names.end() ? 0 : static_cast<size_t>(found - rewards.names.begin());
}

double mean_defined(const std::vector<double>& values) {
  double sum = 0.0;
  int64_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::nan("");
}

}  // namespace

SampledBatch sample(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const PromptOptions& prompt,
                    const SamplingParams& params, const RolloutKey& key, const GenerateContext& context) {
  return sample_share(policy, engine, problems, {0, static_cast<int64_t>(problems.size())}, prompt, params, key, context);
}

std::vector<Prompt> prompts_of(const Policy& policy, const std::vector<const Problem*>& problems, const Share& share,
                               const PromptOptions& options) {
  std::vector<Prompt> prompts;
  std::map<int64_t, int64_t> seen;
  for (int64_t i = 0; i < share.end; ++i) {
    const Problem& problem = *problems[static_cast<size_t>(i)];
    const int64_t twin = seen[problem.index]++;
    if (i < share.begin) continue;
    prompts.push_back({problem.index + (twin << 40), policy.encode_prompt(problem, options).ids});
  }
  return prompts;
}

std::vector<Rollout> generate(const Policy& policy, RolloutEngine& engine, const std::vector<Prompt>& prompts, const SamplingParams& params,
                              const RolloutKey& key, const GenerateContext& context) {
  GenerateContext with_tokenizer = context;
  with_tokenizer.tokenizer = policy.tokenizer.get();
  SamplingParams with_end = params;
  if (!params.ignore_eos) with_end.stop_ids.push_back(policy.end_id());
  return engine.generate(prompts, with_end, key, with_tokenizer);
}

SampledBatch with_texts(const Policy& policy, const std::vector<const Problem*>& problems, const PromptOptions& prompt,
                        std::vector<Rollout> rollouts) {
  SampledBatch batch;
  batch.rollouts = std::move(rollouts);
  for (const Rollout& rollout : batch.rollouts) {
    const Problem* problem = problems[static_cast<size_t>(rollout.group)];
    const bool same = !batch.completions.empty() && batch.completions.back().problem == problem;
    batch.completions.push_back({.problem = problem,
                                 .prompt = same ? batch.completions.back().prompt : policy.prompt_text(*problem, prompt),
                                 .text = policy.tokenizer->decode(rollout.ids, true),
                                 .ids = rollout.ids,
                                 .finish = rollout.finish,
                                 .sample = rollout.sample});
  }
  return batch;
}

SampledBatch sample_share(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const Share& share,
                          const PromptOptions& prompt, const SamplingParams& params, const RolloutKey& key,
                          const GenerateContext& context) {
  if (share.size() == 0) return {};
  auto rollouts = generate(policy, engine, prompts_of(policy, problems, share, prompt), params, key, context);
  for (Rollout& rollout : rollouts) rollout.group += share.begin;
  return with_texts(policy, problems, prompt, std::move(rollouts));
}

double pass_at_k(int64_t samples, int64_t correct, int64_t k) {
  GRPO_CHECK(k >= 1 && k <= samples && correct >= 0 && correct <= samples, "pass_at_k", "expected 1 <= k <= n and 0 <= c <= n");
  if (samples - correct < k) return 1.0;
  double none = 1.0;
  for (int64_t i = samples - correct + 1; i <= samples; ++i) none *= 1.0 - static_cast<double>(k) / static_cast<double>(i);
  return 1.0 - none;
}

std::map<std::string, double> evaluate(const Policy& policy, RolloutEngine& engine, const std::vector<Problem>& problems,
                                       RewardSet& rewards, const EvaluationOptions& options) {
  GRPO_CHECK(!problems.empty(), "evaluate", "expected at least one problem");
  GRPO_CHECK(!rewards.names.empty(), "evaluate", "expected at least one reward function");
  std::vector<const Problem*> pointers;
  for (const auto& problem : problems) pointers.push_back(&problem);
  const auto communicator = options.communicator ? options.communicator : single_process();
  SampledBatch batch = sample_share(policy, engine, pointers, share_of(static_cast<int64_t>(problems.size()), *communicator),
                                    options.prompt, options.sampling, {options.seed, 0}, options.context);
  RewardContext context;
  context.max_completion_length = options.sampling.max_completion_length;
  ScoredBatch scores = score_all(rewards, batch.completions, context);
  gather(*communicator, pointers, batch, scores, context);

  std::map<std::string, double> result;
  for (size_t f = 0; f < rewards.names.size(); ++f) result[rewards.names[f]] = mean_defined(scores.per_function[f]);
  const auto& verdicts = scores.per_function[judging_function(rewards)];
  const int64_t k = options.sampling.num_generations;
  double once = 0.0, any = 0.0, length = 0.0, clipped = 0.0;
  for (size_t i = 0; i < batch.rollouts.size(); i += static_cast<size_t>(k)) {
    int64_t correct = 0;
    for (size_t j = i; j < i + static_cast<size_t>(k); ++j) {
      correct += verdicts[j] >= kFullScore ? 1 : 0;
      length += static_cast<double>(batch.rollouts[j].ids.size());
      clipped += batch.rollouts[j].finish == FinishReason::kLength ? 1.0 : 0.0;
      if (options.on_sample) options.on_sample(to_printable_text(sample_line(batch, scores, rewards, j)));
    }
    once += pass_at_k(k, correct, 1);
    any += pass_at_k(k, correct, k);
  }
  const auto groups = static_cast<double>(problems.size()), samples = static_cast<double>(batch.rollouts.size());
  result["pass@1"] = once / groups;
  if (k > 1) result["pass@" + std::to_string(k)] = any / groups;
  result["mean_length"] = length / samples;
  result["clipped_ratio"] = clipped / samples;
  result["samples"] = samples;
  return result;
}

}  // namespace grpo
