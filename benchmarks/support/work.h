#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/data/types.h"
#include "grpo/model/config.h"
#include "grpo/rollout/engine.h"
#include "support/measure.h"

// The benchmarks' models and the arithmetic that their work cannot do without.
namespace grpo::bench {

/// tiny-1m, tiny-6m, smollm2-135m and qwen2.5-0.5b, as make_tiny_model.py writes them, and qwen3-0.6b, qwen2.5-1.5b and qwen2.5-7b;
/// `layers` > 0 replaces the shape's own. Throws a usage error for another name.
ModelConfig model_shape(const std::string& name, int64_t layers = 0);

/// One GRPO step with completions of one length.
struct StepWork {
  int64_t prompts = 16, num_generations = 8, prompt_length = 16, completion_length = 64;
  int64_t sequences() const { return prompts * num_generations; }
  int64_t completion_tokens() const { return sequences() * completion_length; }
  /// Rows of the packed batch: a group's prompt once; a completion's last token predicts nothing, but has a row.
  int64_t rows() const { return prompts * prompt_length + completion_tokens(); }
};

/// Multiply-adds counted as two, every prompt computed once: prefill, then a forward of every sampled token with its head.
double decode_flops(const ModelConfig& model, const StepWork& work);
/// Forward and backward (three forwards) of every row, the head for completion tokens alone.
double train_flops(const ModelConfig& model, const StepWork& work);

/// Seconds that no implementation in fp32 can go below, by the measured limits. Decoding: per position the slower of reading weights and
/// cache once and of the arithmetic, after the prefill's arithmetic. Training: the arithmetic.
double decode_floor(const ModelConfig& model, const StepWork& work, const Limits& limits);
double train_floor(const ModelConfig& model, const StepWork& work, const Limits& limits);

/// Options of a sampler by one name: float32, bfloat16 or int8; the caches of the last two are bfloat16. Throws a usage error for another.
EngineOptions sampler_options(const std::string& type);

/// Ids below `limit`, far from their neighbours.
std::vector<int32_t> spread_ids(int64_t count, int64_t limit);

/// Rollouts of random ids with random log-probs left out: groups adjacent, deterministic from `seed`.
std::vector<Rollout> random_rollouts(const ModelConfig& model, const StepWork& work, uint64_t seed);

}  // namespace grpo::bench
