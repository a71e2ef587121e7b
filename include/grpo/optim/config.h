#pragma once

#include <cstdint>

#include "grpo/api.h"

namespace GRPO_API grpo {

class ConfigVisitor;

/// AdamW and what surrounds one update. Names and defaults as in transformers' TrainingArguments, learning rate as in TRL.
struct OptimConfig {
  double learning_rate = 1e-6;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;
  enum class Schedule { kLinear, kCosine, kConstant };
  Schedule lr_scheduler_type = Schedule::kLinear;
  int64_t warmup_steps = 0;
  double min_lr_ratio = 0.0;
};

void describe(ConfigVisitor& visitor, OptimConfig& config);

/// The rate of update `step` (0 = first) of `total_steps`.
double scheduled_learning_rate(const OptimConfig& config, int64_t step, int64_t total_steps);

}  // namespace grpo
