#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

/// What a metric sink is made for.
struct SinkContext {
  std::filesystem::path folder;                        // of the run, which is there
  std::optional<int64_t> resumed_step = std::nullopt;  // optimiser steps done if the run goes on: later figures of an earlier try are void
};

/// Where the figures of a run go beside metrics.jsonl. Subclass it and register it: `registry.add_sink<Mine>("mine")`, constructed from
/// (options, context), or from fewer of them; `trainer.report_to` names it. If it throws, the run saves its state and stops.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  /// The figures of a line of metrics.jsonl, those that are not finite too. Called on rank 0 alone.
  virtual void write(int64_t step, const std::map<std::string, double>& figures) = 0;
};

/// Metric sinks by name.
using SinkRegistry = FactoryTable<MetricSink, const SinkContext&>;
/// tensorboard: event files in the run's folder `events`; none: nothing.
SinkRegistry builtin_sinks();

}  // namespace grpo
