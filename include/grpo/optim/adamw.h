#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "grpo/core/config.h"
#include "grpo/model/arena.h"

namespace grpo {

/// AdamW and what surrounds one update. Names and defaults as in transformers' TrainingArguments, learning rate as in TRL.
struct OptimConfig {
  double learning_rate = 1e-6;  // peak
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double weight_decay = 0.0;   // of matrices only; norms and biases are never decayed
  double max_grad_norm = 1.0;  // gradients are scaled down to this global L2 norm; 0 = no clipping
  enum class Schedule { kLinear, kCosine, kConstant };
  Schedule lr_scheduler_type = Schedule::kLinear;  // linear and cosine end at `min_lr_ratio` times the peak
  int64_t warmup_steps = 0;                        // linear from 0
  double min_lr_ratio = 0.0;                       // final rate over peak
};

void describe(ConfigVisitor& visitor, OptimConfig& config);

/// The rate of update `step` (0 = first) of `total_steps`.
double scheduled_learning_rate(const OptimConfig& config, int64_t step, int64_t total_steps);

/// What one update did.
struct StepReport {
  double grad_norm = 0.0;  // global L2 norm before clipping
  bool applied = true;     // false when a gradient was not finite: nothing was changed
};

/// AdamW over the arenas' flat buffers: one fused pass each (Loshchilov and Hutter, 1711.05101). In float32 the weights are the masters.
class AdamW {
 public:
  /// `on_write` is called after each update of the weights (the model's bump_version).
  AdamW(std::vector<ParameterArena*> arenas, const OptimConfig& config, std::function<void()> on_write = {});

  void zero_grad();
  /// Clips by the global norm, then updates with `learning_rate`. Gradients that are not finite change nothing.
  StepReport step(double learning_rate);
  /// With config.learning_rate, for users' own loops.
  StepReport step() { return step(config_.learning_rate); }

  int64_t steps_done() const { return steps_; }
  const OptimConfig& config() const { return config_; }

  /// Moments by arena, [numel] each, for checkpoints. Loading copies and checks sizes.
  struct Moments {
    at::Tensor exp_avg, exp_avg_sq;
  };
  const std::vector<Moments>& moments() const { return moments_; }
  void restore(int64_t steps, const std::vector<Moments>& moments);

 private:
  std::vector<ParameterArena*> arenas_;
  OptimConfig config_;
  std::function<void()> on_write_;
  std::vector<Moments> moments_;
  int64_t steps_ = 0;
};

}  // namespace grpo
