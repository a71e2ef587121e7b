#include <algorithm>
#include <cmath>
#include <numbers>

#include "grpo/core/config.h"
#include "grpo/optim/config.h"

namespace grpo {

void describe(ConfigVisitor& v, OptimConfig& c) {
  v.field("learning_rate", c.learning_rate, "Peak learning rate of AdamW.", kRate);
  v.field("adam_beta1", c.adam_beta1, "Decay of the first moment.", kDecay);
  v.field("adam_beta2", c.adam_beta2, "Decay of the second moment.", kDecay);
  v.field("adam_epsilon", c.adam_epsilon, "Added to the root of the second moment.", {.min = 1e-30, .max = 1.0});
  v.field("weight_decay", c.weight_decay, "Decoupled weight decay of matrices; norms and biases are never decayed.", kRate);
  v.field("max_grad_norm", c.max_grad_norm, "Global L2 norm that gradients are clipped to; 0 = no clipping.", kNonNegative);
  v.enumeration("lr_scheduler_type", c.lr_scheduler_type, {"linear", "cosine", "constant"}, "How the rate falls after the warm-up.");
  v.field("warmup_steps", c.warmup_steps, "Updates over which the rate rises linearly from 0.", kNonNegative);
  v.field("min_lr_ratio", c.min_lr_ratio, "Final learning rate over the peak, for linear and cosine.", kFraction);
}

double scheduled_learning_rate(const OptimConfig& c, int64_t step, int64_t total_steps) {
  if (step < c.warmup_steps) return c.learning_rate * static_cast<double>(step) / static_cast<double>(c.warmup_steps);
  if (c.lr_scheduler_type == OptimConfig::Schedule::kConstant) return c.learning_rate;
  const double span = static_cast<double>(std::max<int64_t>(1, total_steps - c.warmup_steps));
  const double progress = std::clamp(static_cast<double>(step - c.warmup_steps) / span, 0.0, 1.0);
  const double shape =
      c.lr_scheduler_type == OptimConfig::Schedule::kLinear ? 1.0 - progress : 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  return c.learning_rate * (c.min_lr_ratio + (1.0 - c.min_lr_ratio) * shape);
}

}  // namespace grpo
