// What the makers of a model recommend for sampling from it: its generation_config.json.
#include <filesystem>
#include <string>

#include "core/file_text.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/rollout/sampling.h"
#include "model/config_keys.h"

namespace grpo {
namespace {

constexpr int64_t kTransformersTopK = 50;  // of transformers, where the file does not say

/// What else would change what is sampled.
constexpr const char* kFurther[] = {"num_beams",
                                    "typical_p",
                                    "epsilon_cutoff",
                                    "eta_cutoff",
                                    "no_repeat_ngram_size",
                                    "guidance_scale",
                                    "penalty_alpha",
                                    "min_new_tokens",
                                    "min_length",
                                    "bad_words_ids",
                                    "suppress_tokens",
                                    "begin_suppress_tokens",
                                    "forced_bos_token_id",
                                    "forced_eos_token_id",
                                    "sequence_bias",
                                    "encoder_repetition_penalty",
                                    "exponential_decay_length_penalty",
                                    "diversity_penalty",
                                    "stop_strings"};

void warn_of_further(ConfigKeys& settings) {
  std::string names;
  for (const char* key : kFurther) {
    const auto* value = settings.find(key);
    if (value == nullptr || *value == 0 || *value == 1 || *value == false) continue;
    names += (names.empty() ? "" : ", ") + std::string(key);
  }
  if (!names.empty()) log_warn(settings.file() + ": not used: " + names);
}

}  // namespace

SamplingParams recommended_sampling(const std::filesystem::path& model) {
  SamplingParams params;
  params.num_generations = 1;
  params.temperature = 0.0;
  const auto path = model / "generation_config.json";
  if (!std::filesystem::is_regular_file(path)) return params;
  const auto json = parse_object(file_text(path, "sampling"), path.string());
  ConfigKeys config(json, path.string());
  const bool sample = config.flag("do_sample", false);
  const auto temperature = config.number("temperature", 1.0), top_p = config.number("top_p", 1.0), min_p = config.number("min_p", 0.0);
  const auto top_k = config.integer("top_k", kTransformersTopK);
  params.repetition_penalty = config.number("repetition_penalty", 1.0);
  params.max_completion_length = config.integer("max_new_tokens", params.max_completion_length);
  if (sample) {
    params.temperature = temperature;
    params.top_p = top_p;
    params.min_p = min_p;
    params.top_k = top_k;
  }
  warn_of_further(config);
  try {
    validate(params);
  } catch (const Error& error) {
    throw Error(path.string() + ": " + error.what(), error.kind());
  }
  return params;
}

}  // namespace grpo
