#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/optim/optimizer.h"

namespace GRPO_API grpo {

/// AdamW over the arenas' flat buffers, where they are: one fused pass each (Loshchilov and Hutter, 1711.05101). Moments are float32. In
/// float32 the weights are the masters; weights of another type have float32 masters, of which each update leaves them rounded.
class AdamW final : public Optimizer {
 public:
  /// Masters begin as the weights are now.
  explicit AdamW(const OptimizerContext& context);
  AdamW(std::vector<ParameterArena*> arenas, const OptimConfig& config) : AdamW(OptimizerContext{std::move(arenas), config}) {}

  std::vector<Buffer> buffers() const override;

  /// By arena, [numel] each in float32, for checkpoints. Loading copies and checks sizes; `masters` is undefined if the weights are it.
  struct Moments {
    at::Tensor exp_avg, exp_avg_sq, masters = {};
  };
  const std::vector<Moments>& moments() const { return moments_; }
  void restore(int64_t steps, const std::vector<Moments>& moments);

 private:
  void update(double learning_rate, const std::vector<at::Tensor>& gradients, double gradient_scale) override;

  std::vector<Moments> moments_;
};

}  // namespace grpo
