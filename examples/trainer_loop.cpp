// An application that owns the loop: trainer_loop CONFIG.json
#include <grpo/grpo.h>

#include <cstdio>

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: trainer_loop CONFIG.json\n"), 2;
  grpo::ConfigSource source = grpo::config_source();
  source.add_file(argv[1]);
  grpo::Config config;
  grpo::read_config(source, config);
  grpo::GrpoTrainer trainer(config);
  while (const auto report = trainer.step()) {
    std::printf("step %ld", static_cast<long>(report->step));
    for (const char* name : {"reward", "loss"}) {  // a step that goes on with a rollout has no reward of its own
      if (const auto figure = report->metrics.find(name); figure != report->metrics.end()) std::printf(" %s %.4f", name, figure->second);
    }
    std::printf("\n");
  }
  return 0;
} catch (const grpo::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
