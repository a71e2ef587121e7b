#pragma once

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "grpo/dist/communicator.h"
#include "grpo/policy/sampling.h"

// What `sample` is made of.
namespace grpo {

/// Numbers the random streams of one call's problems: one that comes again gets another stream.
class Streams {
 public:
  int64_t next(const Problem& problem) { return problem.index + (seen_[problem.index]++ << 40); }

 private:
  std::map<int64_t, int64_t> seen_;  // by index, how often
};

/// Groups of the problems of `share` with their prompts and streams, without samples.
Experience begin_groups(const Policy& policy, const std::vector<const Problem*>& problems, const Share& share, const PromptOptions& options,
                        const RolloutKey& key);

/// The parameters with the id that ends a turn under the prompt template as a further stop id, where the model's own end completions.
SamplingParams with_turn_end(const Policy& policy, const std::vector<const Problem*>& problems, const PromptOptions& options,
                             const SamplingParams& params);

/// Samples whole completions of groups that have none yet, all under `key`.
void sample_groups(const Policy& policy, RolloutEngine& engine, std::span<Group> groups, const SamplingParams& params,
                   const RolloutKey& key, const GenerateContext& context = {});

/// As engine.generate, with what it needs of the policy: the id that ends a completion, the tokenizer.
std::vector<Rollout> generate(const Policy& policy, RolloutEngine& engine, const std::vector<Prompt>& prompts, const SamplingParams& params,
                              const RolloutKey& key, const GenerateContext& context = {});

/// Throws an Error of kind kInterrupted if the sample, or one of the groups', was cancelled.
void expect_uncancelled(FinishReason finish);
void expect_uncancelled(std::span<const Group> groups);

/// What an engine has sampled, without its text.
Sample sample_of(Rollout&& rollout);

/// Decodes the samples.
void add_texts(const Policy& policy, std::span<Group> groups);

}  // namespace grpo
