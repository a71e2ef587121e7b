#include "grpo/run/metric_sink.h"

#include <cmath>

#include "grpo/io/event_file.h"

namespace grpo {
namespace {

class TensorBoard final : public MetricSink {
 public:
  explicit TensorBoard(const SinkContext& context) : events_(context.folder / "events") {
    if (context.resumed_step) events_.session_start(*context.resumed_step + 1);
  }

  void write(int64_t step, const std::map<std::string, double>& figures) override {
    for (const auto& [name, value] : figures) {
      if (std::isfinite(value)) events_.scalar(name, value, step);
    }
    events_.flush();
  }

 private:
  EventFile events_;
};

class NoSink final : public MetricSink {
  void write(int64_t /*step*/, const std::map<std::string, double>& /*figures*/) override {}
};

}  // namespace

SinkRegistry builtin_sinks() {
  SinkRegistry registry("sink");
  registry.add<TensorBoard>("tensorboard");
  registry.add<NoSink>("none");
  return registry;
}

}  // namespace grpo
