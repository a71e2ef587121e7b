#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

class ConfigVisitor;

/// Below this temperature the most likely token is taken (the lowest id among equals).
inline constexpr double kGreedyTemperature = 1e-5;

/// How completions are sampled. Names and defaults are TRL's. `describe` documents the options, and configs/README.md lists them. They are
/// applied to the logits in this order: repetition penalty, temperature, min-p, top-k, top-p (each on what the one before left,
/// renormalised). At least one token always stays, and the lower id comes first among equals.
struct SamplingParams {
  int64_t num_generations = 8;
  int64_t max_completion_length = 512;
  double temperature = 1.0;
  int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  int64_t repetition_guard = 0;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_ids;  // ids that end a completion, beside the model's own; not part of config files
  bool ignore_eos = false;        // end-of-sequence ids of model and tokenizer end nothing; not part of config files

  bool greedy() const { return temperature < kGreedyTemperature; }
  /// Whether some tokens are ruled out.
  bool truncates() const { return top_k > 0 || top_p < 1.0 || min_p > 0.0; }
  /// Whether tokens are drawn from another distribution than softmax(logits / temperature).
  bool reshapes() const { return truncates() || repetition_penalty != 1.0; }
};
void describe(ConfigVisitor& visitor, SamplingParams& params);

/// Throws a usage error naming every value that is out of range.
void validate(const SamplingParams& params);

/// One completion as the model's makers recommend to sample it: by the generation_config.json beside its weights, as transformers reads it
/// (do_sample, temperature, top_k, top_p, min_p, repetition_penalty, max_new_tokens). Without do_sample, and where there is no such file (a
/// .gguf has none), it is greedy. A warning names settings of the file that are not used though they change what is sampled. Throws `Error`
/// naming the file if it is no JSON object, or a setting of another type or out of range.
SamplingParams recommended_sampling(const std::filesystem::path& model);

}  // namespace grpo
