#include "grpo/rollout/sampling.h"

#include <algorithm>
#include <cmath>

#include "core/faults.h"
#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& visitor, SamplingParams& params) {
  visitor.field("num_generations", params.num_generations, "completions per prompt", {.min = 1});
  visitor.field("max_completion_length", params.max_completion_length, "tokens of a completion at most, its stop id included", {.min = 1});
  visitor.field("temperature", params.temperature, "logits are divided by it before sampling; 0 takes the most likely token", kNonNegative);
  visitor.field("top_p", params.top_p, "keep the most likely tokens whose mass reaches this share; 1 keeps all",
                {.min = 0.0, .max = 1.0, .open_min = true});
  visitor.field("top_k", params.top_k, "keep this many most likely tokens; 0 keeps all", kNonNegative);
  visitor.field("min_p", params.min_p, "keep tokens of at least this share of the largest probability; 0 keeps all", kFraction);
  visitor.field(
      "repetition_penalty", params.repetition_penalty,
      "logits of tokens in prompt or completion are divided by it where positive, multiplied by it where negative; 1 does nothing",
      kPositive);
  visitor.field(
      "repetition_guard", params.repetition_guard,
      "end a completion, as truncated, after so many tokens in a row that each had a probability above 0.99 (MiniMax-M1: 3000); 0 "
      "never does",
      kNonNegative);
  visitor.field("stop", params.stop, "strings that end a completion once its text contains one");
}

void validate(const SamplingParams& params) {
  Faults faults;
  faults.need(params.num_generations >= 1, "expected num_generations >= 1; got " + std::to_string(params.num_generations));
  faults.need(params.max_completion_length >= 1,
              "expected max_completion_length >= 1; got " + std::to_string(params.max_completion_length));
  faults.need(params.temperature >= 0.0 && std::isfinite(params.temperature),
              "expected temperature >= 0; got " + std::to_string(params.temperature));
  faults.need(params.top_k >= 0, "expected top_k >= 0; got " + std::to_string(params.top_k));
  faults.need(params.top_p > 0.0 && params.top_p <= 1.0, "expected top_p in (0, 1]; got " + std::to_string(params.top_p));
  faults.need(params.min_p >= 0.0 && params.min_p <= 1.0, "expected min_p in [0, 1]; got " + std::to_string(params.min_p));
  faults.need(params.repetition_penalty > 0.0 && std::isfinite(params.repetition_penalty),
              "expected repetition_penalty > 0; got " + std::to_string(params.repetition_penalty));
  faults.need(params.repetition_guard >= 0, "expected repetition_guard >= 0; got " + std::to_string(params.repetition_guard));
  faults.need(std::none_of(params.stop.begin(), params.stop.end(), [](const std::string& text) { return text.empty(); }),
              "expected stop strings that are not empty");
  faults.raise("SamplingParams");
}

}  // namespace grpo
