#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grpo/api.h"
#include "grpo/model/arena.h"
#include "grpo/optim/config.h"

namespace GRPO_API grpo {

/// What one update did.
struct UpdateReport {
  double grad_norm = 0.0;  // global L2 norm before clipping
  bool applied = true;     // false when a gradient was not finite: nothing was changed
};

/// AdamW over the arenas' flat buffers, where they are: one fused pass each (Loshchilov and Hutter, 1711.05101). Moments are float32. In
/// float32 the weights are the masters; weights of another type have float32 masters, of which each update leaves them rounded.
class AdamW {
 public:
  /// Masters begin as the weights are now.
  AdamW(std::vector<ParameterArena*> arenas, const OptimConfig& config);

  void zero_grad();
  /// Clips by the global norm, then updates with `learning_rate`. Gradients that are not finite change nothing.
  UpdateReport step(double learning_rate);
  /// With config.learning_rate, for users' own loops.
  UpdateReport step() { return step(config_.learning_rate); }

  int64_t steps_done() const { return steps_; }
  const OptimConfig& config() const { return config_; }

  /// By arena, [numel] each in float32, for checkpoints. Loading copies and checks sizes; `masters` is undefined if the weights are it.
  struct Moments {
    at::Tensor exp_avg, exp_avg_sq, masters = {};
  };
  const std::vector<Moments>& moments() const { return moments_; }
  void restore(int64_t steps, const std::vector<Moments>& moments);
  /// For who has put earlier values into moments() itself: so many steps led to them.
  void set_steps_done(int64_t steps) { steps_ = steps; }

 private:
  std::vector<ParameterArena*> arenas_;
  OptimConfig config_;
  std::vector<Moments> moments_;
  int64_t steps_ = 0;
};

}  // namespace grpo
