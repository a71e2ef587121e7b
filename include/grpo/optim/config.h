#pragma once

#include <cstdint>
#include <string>

#include "grpo/core/config.h"

#include "grpo/api.h"

namespace GRPO_API grpo {

/// The optimiser and what surrounds one update. Names and defaults as in transformers' TrainingArguments, learning rate as in TRL.
struct OptimConfig {
  std::string optimizer = "adamw";
  NamedOptions optimizer_options = {};
  double learning_rate = 1e-6;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;
  std::string lr_scheduler_type = "linear";
  NamedOptions lr_scheduler_kwargs = {};
  int64_t warmup_steps = 0;
  double min_lr_ratio = 0.0;
};

void describe(ConfigVisitor& visitor, OptimConfig& config);

}  // namespace grpo
