// Peak memory of forward and backward above weights and gradients, each way in a process of its own: the backbone alone, and log-probs
// through both entrances to gradients. One line of JSON a way; extra_mib is what log-probs cost above the backbone.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "grpo/core/error.h"
#include "grpo/torch.h"
#include "support/measure.h"
#include "support/work.h"

namespace {

using grpo::bench::Json;
using grpo::bench::StepWork;

struct Arguments {
  std::string shape = "qwen2.5-0.5b";
  int64_t layers = 2;
  StepWork work{.prompts = 4, .num_generations = 1, .prompt_length = 1, .completion_length = 512};
  int threads = 0;
};

void backward(grpo::Transformer& model, const grpo::Batch& batch, const std::string& way) {
  if (way == "backbone") {
    model.hidden_states(batch).mean().backward();
  } else if (way == "logprobs") {
    model.logprobs(batch, {.temperature = 1.0, .entropy = true}).logprobs.mean().backward();
  } else {
    model.forward_backward(batch, [](const grpo::TokenOutputs& out) { return out.logprobs.mean(); });
  }
}

Json measure(const Arguments& a, const std::string& way) {
  grpo::bench::set_threads(a.threads);
  const grpo::ModelConfig config = grpo::bench::model_shape(a.shape, a.layers);
  grpo::Transformer model(config, at::kFloat, at::kCPU);
  grpo::init_weights(model, 1);
  for (auto* arena : model.parameters()) at::Tensor(arena->flat_grad()).fill_(0.0);  // touched, so that it is resident
  const StepWork small{.prompts = 1, .num_generations = 1, .prompt_length = 1, .completion_length = 8};
  backward(model, grpo::make_batch(grpo::bench::random_rollouts(config, small, 2), {}), way);  // threads and their arenas exist
  const auto batch = grpo::make_batch(grpo::bench::random_rollouts(config, a.work, 1), {});
  grpo::bench::reset_peak_resident();
  const double baseline = grpo::bench::resident_mib();
  const grpo::bench::Stopwatch watch;
  backward(model, batch, way);
  return {{"work", "memory"},
          {"way", way},
          {"shape", a.shape},
          {"layers", config.num_hidden_layers},
          {"tokens", batch.num_pairs()},
          {"vocab", config.vocab_size},
          {"baseline_mib", baseline},
          {"above_baseline_mib", grpo::bench::peak_resident_mib() - baseline},
          {"seconds", watch.wall()}};
}

/// `measure` in a child, so that no way finds memory that another has left.
Json measure_apart(const Arguments& a, const std::string& way) {
  int ends[2];
  GRPO_CHECK(pipe(ends) == 0, "memory", "cannot make a pipe");
  const pid_t child = fork();
  GRPO_CHECK(child >= 0, "memory", "cannot fork");
  if (child == 0) {
    const int status = grpo::bench::run_program([&] {
      const std::string text = measure(a, way).dump();
      GRPO_CHECK(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()), "memory", "cannot write to the pipe");
    });
    _exit(status);
  }
  close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t count = read(ends[0], text.data(), text.size());
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  GRPO_CHECK(status == 0 && count > 0, "memory", "the measurement of " + way + " failed");
  return Json::parse(text.substr(0, static_cast<size_t>(count)));
}

void run(const Arguments& a) {
  const Json backbone = measure_apart(a, "backbone");
  grpo::bench::print(backbone);
  for (const char* way : {"logprobs", "forward_backward"}) {
    Json line = measure_apart(a, way);
    line["extra_mib"] = line["above_baseline_mib"].get<double>() - backbone["above_baseline_mib"].get<double>();
    grpo::bench::print(line);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("Measures what log-probs cost in memory");
  app.add_option("--shape", a.shape, "tiny-1m, tiny-6m, smollm2-135m or qwen2.5-0.5b");
  app.add_option("--layers", a.layers, "Layers; 0 = the shape's own");
  app.add_option("--batch", a.work.prompts, "Sequences");
  app.add_option("--tokens", a.work.completion_length, "Tokens of a sequence");
  app.add_option("--threads", a.threads, "OpenMP threads; 0 = OpenMP's default");
  CLI11_PARSE(app, argc, argv);
  return grpo::bench::run_program([&a] { run(a); });
}
