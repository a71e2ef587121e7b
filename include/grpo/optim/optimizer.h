#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/model/arena.h"
#include "grpo/optim/config.h"
#include "grpo/optim/registry.h"

namespace GRPO_API grpo {

/// What one update did.
struct UpdateReport {
  double grad_norm = 0.0;  // global L2 norm before clipping
  bool applied = true;     // false when a gradient was not finite: nothing was changed
};

/// What an optimizer is made for: the weights that it updates, and the config's section.
struct OptimizerContext {
  std::vector<ParameterArena*> arenas;
  OptimConfig config;
};

/// Turns gradients into updates of the arenas' flat buffers. Subclass it and register it: `registry.add_optimizer<Mine>("mine")`,
/// constructed from (options, context) or from the context alone.
class Optimizer {
 public:
  explicit Optimizer(const OptimizerContext& context) : arenas_(context.arenas), config_(context.config) {}
  virtual ~Optimizer() = default;

  void zero_grad();
  /// Clips by the global norm, then updates with `learning_rate`. Gradients that are not finite change nothing.
  UpdateReport step(double learning_rate);
  /// With config.learning_rate, for users' own loops.
  UpdateReport step() { return step(config_.learning_rate); }

  /// A buffer that checkpoints keep, float32 [numel] of its arena; the tensor is the optimizer's own, which loading writes.
  struct Buffer {
    size_t arena = 0;
    std::string name;  // "exp_avg"; unique within the arena
    at::Tensor values;
  };
  virtual std::vector<Buffer> buffers() const = 0;

  int64_t steps_done() const { return steps_; }
  /// For who has put earlier values into buffers() itself: so many steps led to them.
  void set_steps_done(int64_t steps) { steps_ = steps; }
  const OptimConfig& config() const { return config_; }

 protected:
  /// Writes new weights, `steps_done()` counting this update; `gradients` by arena are multiplied by `gradient_scale`, which clips. Called
  /// without gradient recording; the caller marks the arenas as written.
  virtual void update(double learning_rate, const std::vector<at::Tensor>& gradients, double gradient_scale) = 0;

  const std::vector<ParameterArena*>& arenas() const { return arenas_; }

 private:
  std::vector<ParameterArena*> arenas_;
  OptimConfig config_;
  int64_t steps_ = 0;
};

}  // namespace grpo
