// GRPO without the trainer: every piece by itself. own_loop MODEL PROBLEMS.jsonl STEPS
#include <grpo/torch.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) try {
  if (argc != 4) return std::fprintf(stderr, "usage: own_loop MODEL PROBLEMS.jsonl STEPS\n"), 2;
  const grpo::Policy policy = grpo::load_policy({.path = argv[1], .tokenizer = {}, .new_model = {}}, 0);
  const auto problems = grpo::load_problems(argv[2], {.answer_after = "####"});
  grpo::RewardSet rewards;
  rewards.add("accuracy", grpo::builtin_rewards().make("accuracy"));
  rewards.add("format", grpo::builtin_rewards().make("format"));

  grpo::RolloutEngine engine(*policy.model);
  grpo::OptimConfig optim;
  optim.learning_rate = 1e-6;
  grpo::AdamW optimizer(policy.model->parameters(), optim);
  grpo::SamplingParams sampling;
  sampling.num_generations = 8;
  sampling.max_completion_length = 256;

  for (int64_t step = 0; step < std::atoll(argv[3]); ++step) {
    const std::vector<const grpo::Problem*> chosen = {&problems[static_cast<size_t>(step) % problems.size()]};
    auto experience = grpo::sample(policy, engine, chosen, {}, sampling, {.seed = 0, .step = static_cast<uint64_t>(step)});
    grpo::RewardContext context;
    grpo::score(rewards, experience, context);
    const auto scores = grpo::rewards_of(experience);
    const auto batch = grpo::make_batch(experience, grpo::group_advantages(scores, grpo::groups_of(experience)));
    const auto normalizer = grpo::loss_normalizer(batch, sampling.max_completion_length);
    optimizer.zero_grad();
    for (const auto& micro : batch.split({.max_tokens = 8192})) {
      const auto tokens = policy.model->logprobs(micro, {.temperature = 1.0, .entropy = true});
      grpo::policy_loss(tokens.logprobs, tokens.entropy, micro, normalizer, {}).loss.backward();
    }
    optimizer.step();  // the engine refreshes itself
    std::printf("step %ld reward %.3f\n", static_cast<long>(step + 1), scores.mean().item<double>());
  }
  return 0;
} catch (const grpo::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
