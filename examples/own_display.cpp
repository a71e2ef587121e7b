// A program that shows a run's log and progress itself: own_display CONFIG.json
#include <grpo/grpo.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: own_display CONFIG.json\n"), 2;
  grpo::set_log_sink([](grpo::LogLevel level, const std::string& message) {
    std::printf("%s: %s\n", level == grpo::LogLevel::kWarn ? "warning" : "info", message.c_str());
  });
  grpo::set_progress_sink([](const grpo::ProgressState& state) {
    std::printf("%s: %ld of %ld, %.0f s to go, %s\n", state.label.c_str(), static_cast<long>(state.done), static_cast<long>(state.total),
                state.eta.value_or(0.0), state.suffix.c_str());
  });
  grpo::ConfigSource source = grpo::config_source();
  source.add_file(argv[1]);
  grpo::Config config;
  grpo::read_config(source, config);
  return grpo::GrpoTrainer(config).train() ? 0 : 75;
} catch (const grpo::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
