#pragma once

#include <cstdint>

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

/// Where an update stands in its run.
struct ScheduleStep {
  int64_t step = 0;  // updates done before it
  int64_t total_steps = 0;
  int64_t warmup_steps = 0;

  /// From 0 at the end of the warm-up to 1 at the end of the run.
  double progress() const;
};

/// How the learning rate moves behind the warm-up. Subclass it and register it: `registry.add_schedule<Mine>("mine")`; or register a
/// function.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// The share of the peak rate at that update; `min_lr_ratio` is laid under it by the caller.
  virtual double factor(const ScheduleStep& step) const = 0;
};

/// Schedules by name, for optim.lr_scheduler_type.
using ScheduleRegistry = FactoryTable<Schedule>;
/// linear, cosine, constant; by transformers' names also constant_with_warmup, the same, and cosine_with_min_lr with its min_lr_rate.
ScheduleRegistry builtin_schedules();

struct OptimConfig;
/// The rate of update `step` (0 = first) of `total_steps`: warm-up, then the schedule.
double scheduled_learning_rate(const OptimConfig& config, const Schedule& schedule, int64_t step, int64_t total_steps);

}  // namespace grpo
