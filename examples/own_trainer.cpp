// A training of your own in the trainer's loop: supervised learning in which each row counts by its column `weight`. Metrics, checkpoints,
// resume, evaluation and signals are the library's. own_trainer CONFIG.json [--resume], in one process
#include <grpo/torch.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

class WeightedTrainer final : public grpo::Trainer {
 public:
  WeightedTrainer(const grpo::Config& config, const grpo::Registry& registry) : Trainer(config, {}, registry, grpo::Command::kSft) {
    plan_steps(config_.trainer.batch_size);
  }

 private:
  grpo::Metrics update() override {
    std::vector<grpo::PackedTokens> examples;
    std::vector<double> weights;
    double total = 0;
    for (const int64_t item : next_items(config_.trainer.batch_size)) {
      const grpo::Problem& problem = problems_[static_cast<size_t>(item)];
      const auto prompt = policy_->encode_prompt(problem, config_.data.prompt).ids;
      const auto completion = policy_->encode_completion(problem, config_.data.prompt, problem.solution);
      grpo::PackedTokens& example = examples.emplace_back();
      const int64_t begin = example.add_segment(prompt);
      example.add_completion(completion, begin, begin + static_cast<int64_t>(prompt.size()), 0);
      weights.push_back(std::atof(problem.fields.at("weight").c_str()));
      total += weights.back() * static_cast<double>(completion.size());
      tokens_seen_ += static_cast<double>(prompt.size() + completion.size());
    }
    return learn(examples, [&](const grpo::TokenOutputs& outputs, size_t i) -> grpo::LossOutput {
      return {.loss = outputs.logprobs.sum() * (-weights[i] / total), .metrics = {}};
    });
  }
  std::vector<std::string> plan_lines() const override { return {"batch: " + std::to_string(config_.trainer.batch_size) + " rows"}; }
};

int main(int argc, char** argv) try {
  if (argc < 2) return std::fprintf(stderr, "usage: own_trainer CONFIG.json [--resume]\n"), 2;
  const grpo::Registry registry = grpo::builtin_registry();
  grpo::ConfigSource source = grpo::config_source(registry);
  source.add_file(argv[1]);
  grpo::Config config;
  grpo::read_config(source, config);
  WeightedTrainer trainer(config, registry);
  if (argc > 2 && std::string_view(argv[2]) == "--resume") trainer.resume();
  return trainer.train() ? 0 : 75;
} catch (const grpo::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
