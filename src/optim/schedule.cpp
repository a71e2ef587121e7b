#include "grpo/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <string>

#include "grpo/optim/config.h"

namespace grpo {
namespace {

class Linear final : public Schedule {
  double factor(const ScheduleStep& step) const override { return 1.0 - step.progress(); }
};

class Cosine final : public Schedule {
 public:
  double factor(const ScheduleStep& step) const override { return 0.5 * (1.0 + std::cos(std::numbers::pi * step.progress())); }
};

/// transformers' name of a cosine that ends above 0.
class CosineWithMinLr final : public Schedule {
 public:
  explicit CosineWithMinLr(const NamedOptions& options) {
    read_options("cosine_with_min_lr", options,
                 [this](ConfigVisitor& v) { v.field("min_lr_rate", least_, "Final rate over the peak.", kFraction); });
  }
  double factor(const ScheduleStep& step) const override { return least_ + (1.0 - least_) * Cosine().factor(step); }

 private:
  double least_ = 0.0;
};

class Constant final : public Schedule {
  double factor(const ScheduleStep& /*step*/) const override { return 1.0; }
};

}  // namespace

void describe(ConfigVisitor& v, OptimConfig& c) {
  v.part("optimizer", c.optimizer, "optimizer", "What makes updates of gradients.");
  v.options("optimizer_options", c.optimizer_options, "The options of an optimizer of your own.");
  v.field("learning_rate", c.learning_rate, "Peak learning rate.", kRate);
  v.field("adam_beta1", c.adam_beta1, "Decay of the first moment.", kDecay);
  v.field("adam_beta2", c.adam_beta2, "Decay of the second moment.", kDecay);
  v.field("adam_epsilon", c.adam_epsilon, "Added to the root of the second moment.", {.min = 1e-30, .max = 1.0});
  v.field("weight_decay", c.weight_decay, "Decoupled weight decay of matrices; norms and biases are never decayed.", kRate);
  v.field("max_grad_norm", c.max_grad_norm, "Global L2 norm that gradients are clipped to; 0 = no clipping.", kNonNegative);
  v.part("lr_scheduler_type", c.lr_scheduler_type, "schedule",
         "How the rate moves after the warm-up: linear, cosine, constant or one of your own.");
  v.options("lr_scheduler_kwargs", c.lr_scheduler_kwargs, "The options of a schedule of your own.");
  v.field("warmup_steps", c.warmup_steps, "Updates over which the rate rises linearly from 0.", kNonNegative);
  v.field("min_lr_ratio", c.min_lr_ratio, "Lowest learning rate after the warm-up over the peak.", kFraction);
}

double ScheduleStep::progress() const {
  const double span = static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps));
  return std::clamp(static_cast<double>(step - warmup_steps) / span, 0.0, 1.0);
}

ScheduleRegistry builtin_schedules() {
  ScheduleRegistry registry("schedule");
  registry.add<Linear>("linear");
  registry.add<Cosine>("cosine");
  registry.add<CosineWithMinLr>("cosine_with_min_lr");
  registry.add<Constant>("constant");
  registry.add<Constant>("constant_with_warmup");
  return registry;
}

double scheduled_learning_rate(const OptimConfig& c, const Schedule& schedule, int64_t step, int64_t total_steps) {
  if (step < c.warmup_steps) return c.learning_rate * static_cast<double>(step) / static_cast<double>(c.warmup_steps);
  const double shape = schedule.factor({.step = step, .total_steps = total_steps, .warmup_steps = c.warmup_steps});
  if (!(std::isfinite(shape) && shape >= 0.0))
    fail("schedule", "expected a finite factor of at least 0 from " + c.lr_scheduler_type + " at step " + std::to_string(step) + "; got " +
                         std::to_string(shape));
  return c.learning_rate * (c.min_lr_ratio + (1.0 - c.min_lr_ratio) * shape);
}

}  // namespace grpo
