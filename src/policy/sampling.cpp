#include "policy/sampling.h"

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"

namespace grpo {

Experience begin_groups(const Policy& policy, const std::vector<const Problem*>& problems, const Share& share, const PromptOptions& options,
                        const RolloutKey& key) {
  Streams streams;
  Experience groups;
  for (int64_t i = 0; i < share.end; ++i) {
    const Problem& problem = *problems[static_cast<size_t>(i)];
    const int64_t stream = streams.next(problem);
    if (i < share.begin) continue;
    auto prompt = policy.encode_prompt(problem, options);
    groups.push_back({.item = i,
                      .problem = &problem,
                      .key = key,
                      .stream = stream,
                      .prompt = std::move(prompt.text),
                      .prompt_ids = std::move(prompt.ids),
                      .samples = {}});
  }
  return groups;
}

SamplingParams with_turn_end(const Policy& policy, const std::vector<const Problem*>& problems, const PromptOptions& options,
                             const SamplingParams& params) {
  SamplingParams with_end = params;
  if (!params.ignore_eos && !problems.empty()) with_end.stop_ids.push_back(policy.turn_end_id(*problems.front(), options));
  return with_end;
}

std::vector<Rollout> generate(const Policy& policy, RolloutEngine& engine, const std::vector<Prompt>& prompts, const SamplingParams& params,
                              const RolloutKey& key, const GenerateContext& context) {
  GenerateContext with_tokenizer = context;
  with_tokenizer.tokenizer = policy.tokenizer.get();
  SamplingParams with_end = params;
  if (!params.ignore_eos) with_end.stop_ids.push_back(policy.end_id());
  return engine.generate(prompts, with_end, key, with_tokenizer);
}

Sample sample_of(Rollout&& rollout) {
  return {.ids = std::move(rollout.ids),
          .logprobs = std::move(rollout.logprobs),
          .processed_logprobs = std::move(rollout.processed_logprobs),
          .finish = rollout.finish,
          .text = {},
          .scores = {}};
}

void add_texts(const Policy& policy, std::span<Group> groups) {
  for (Group& group : groups) {
    for (Sample& sample : group.samples) sample.text = policy.tokenizer->decode(sample.ids, true);
  }
}

void sample_groups(const Policy& policy, RolloutEngine& engine, std::span<Group> groups, const SamplingParams& params,
                   const RolloutKey& key, const GenerateContext& context) {
  if (groups.empty()) return;
  std::vector<Prompt> prompts;
  for (const Group& group : groups) prompts.push_back({group.stream, group.prompt_ids});
  for (Rollout& rollout : generate(policy, engine, prompts, params, key, context)) {
    Group& group = groups[static_cast<size_t>(rollout.group)];
    group.samples.push_back(sample_of(std::move(rollout)));
  }
  add_texts(policy, groups);
}

void expect_uncancelled(FinishReason finish) {
  if (finish == FinishReason::kCancelled) fail_interrupted("sampling", "a signal asked to stop");
}

void expect_uncancelled(std::span<const Group> groups) {
  for (const Group& group : groups) {
    for (const Sample& sample : group.samples) expect_uncancelled(sample.finish);
  }
}

Experience sample(const Policy& policy, RolloutEngine& engine, const std::vector<const Problem*>& problems, const PromptOptions& prompt,
                  const SamplingParams& params, const RolloutKey& key, const GenerateContext& context) try {
  Experience groups = begin_groups(policy, problems, {0, static_cast<int64_t>(problems.size())}, prompt, key);
  sample_groups(policy, engine, groups, with_turn_end(policy, problems, prompt, params), key, context);
  return groups;
} catch (...) {
  rethrow_as_error("sample");
}

}  // namespace grpo
