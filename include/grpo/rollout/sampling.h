#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace grpo {

class ConfigVisitor;

/// Below this temperature the most likely token is taken (the lowest id among equals).
inline constexpr double kGreedyTemperature = 1e-5;

/// How completions are sampled. Names and defaults of the configurable part are TRL's. Applied to the logits in this order: repetition
/// penalty, temperature, min-p, top-k, top-p (each on what the one before left, renormalised); at least one token always stays.
struct SamplingParams {
  int64_t num_generations = 8;          // completions per prompt
  int64_t max_completion_length = 512;  // tokens, stop id included
  double temperature = 1.0;             // logits are divided by it; below kGreedyTemperature: greedy
  int64_t top_k = 0;                    // keep the k most likely tokens, the lower id first among equals; 0 = all
  double top_p = 1.0;                   // keep a token, from the most likely on, while the mass before it is below top_p
  double min_p = 0.0;                   // keep tokens of at least min_p times the largest probability
  double repetition_penalty = 1.0;      // of tokens in prompt and completion: positive logits are divided by it, others multiplied
  int64_t repetition_guard = 0;         // end after so many tokens in a row that were all but certain (p > 0.99); 0 = never
  std::vector<std::string> stop;        // a completion whose text contains one of these ends; its tokens are kept
  std::vector<int32_t> stop_ids;        // ids that end a completion, beside the model's own; not part of config files
  bool ignore_eos = false;              // end-of-sequence ids of model and tokenizer end nothing; not part of config files

  bool greedy() const { return temperature < kGreedyTemperature; }
  /// Whether some tokens are ruled out.
  bool truncates() const { return top_k > 0 || top_p < 1.0 || min_p > 0.0; }
  /// Whether tokens are drawn from another distribution than softmax(logits / temperature).
  bool reshapes() const { return truncates() || repetition_penalty != 1.0; }
};
void describe(ConfigVisitor& visitor, SamplingParams& params);

/// Throws a usage error naming every value that is out of range.
void validate(const SamplingParams& params);

}  // namespace grpo
