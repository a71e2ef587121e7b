// One optimiser step (score, advantages, forward, backward, clip, AdamW) on the rollouts of a file, with the weights saved: to compare with
// what another trainer made of the same rollouts. One line of JSON.
#include <ATen/Tensor.h>
#include <ATen/ops/tensor.h>
#include <CLI/CLI.hpp>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/torch.h"
#include "support/digits.h"
#include "support/measure.h"

namespace {

using grpo::bench::Json;

struct Arguments {
  std::string model, rollouts, save;
  int64_t max_tokens = 8192;
  double learning_rate = 1e-4, adam_epsilon = 1e-8;
  int threads = 0;
};

std::vector<int64_t> groups_of(const std::vector<grpo::Rollout>& rollouts) {
  std::vector<int64_t> groups;
  for (const auto& r : rollouts) groups.push_back(r.group);
  return groups;
}

/// The trainer's update.
Json update(grpo::Transformer& model, const grpo::Batch& batch, int64_t max_completion_length, const Arguments& a) {
  grpo::OptimConfig optim;
  optim.learning_rate = a.learning_rate;
  optim.adam_epsilon = a.adam_epsilon;
  grpo::AdamW optimizer(model.parameters(), optim);
  const auto normalizer = grpo::loss_normalizer(batch, max_completion_length);
  optimizer.zero_grad();
  double loss = 0;
  for (const auto& micro : batch.split({.max_tokens = a.max_tokens})) {
    const auto loss_of = [&](const grpo::TokenOutputs& out) {
      return grpo::policy_loss(out.logprobs, out.entropy, micro, normalizer).loss;
    };
    loss += model.forward_backward(micro, loss_of).item<double>();
  }
  return {{"trained_tokens", normalizer.tokens}, {"loss", loss}, {"grad_norm", optimizer.step().grad_norm}};
}

std::vector<grpo::Rollout> read_rollouts(const Json& file) {
  std::vector<grpo::Rollout> rollouts;
  const auto group_size = file.at("num_generations").get<int64_t>();
  for (size_t i = 0; i < file.at("completion_ids").size(); ++i) {
    grpo::Rollout& r = rollouts.emplace_back();
    r.group = static_cast<int64_t>(i) / group_size;
    r.sample = static_cast<int64_t>(i) % group_size;
    r.prompt_ids = file.at("prompt_ids")[i].get<std::vector<int32_t>>();
    r.ids = file.at("completion_ids")[i].get<std::vector<int32_t>>();
  }
  return rollouts;
}

/// Rewards of the decoded completions, and how far tokenizer and reward are from the other side's.
std::vector<double> score(const grpo::Policy& policy, const std::vector<grpo::Rollout>& rollouts, const Json& file, Json& line) {
  std::vector<double> rewards;
  double difference = 0;
  bool same_ids = true;
  for (size_t i = 0; i < rollouts.size(); ++i) {
    same_ids = same_ids && policy.tokenizer->encode(file.at("prompts")[i].get<std::string>()) == rollouts[i].prompt_ids;
    rewards.push_back(grpo::bench::digit_fraction(policy.tokenizer->decode(rollouts[i].ids, true)));
    difference = std::max(difference, std::abs(rewards.back() - file.at("rewards")[i].get<double>()));
  }
  line["prompt_ids_equal"] = same_ids;
  line["reward_difference"] = difference;
  return rewards;
}

void run(const Arguments& a) {
  std::ifstream in(a.rollouts);
  GRPO_CHECK(in.good(), a.rollouts, "cannot be read");
  const Json file = Json::parse(in);
  const grpo::Policy policy = grpo::load_policy({.path = a.model, .tokenizer = {}, .new_model = {}}, 0);
  const auto rollouts = read_rollouts(file);
  Json line = {{"work", "update"}, {"rollouts", a.rollouts}};
  const auto rewards = score(policy, rollouts, file, line);
  const auto batch = grpo::make_batch(rollouts, grpo::group_advantages(at::tensor(rewards, at::kDouble), groups_of(rollouts)));
  line.update(update(*policy.model, batch, static_cast<int64_t>(rollouts.front().ids.size()), a));
  if (!a.save.empty()) grpo::save_policy(policy, a.save, "float32");
  grpo::bench::print(line);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("Does one optimiser step on given rollouts");
  app.add_option("--model", a.model, "Model folder with its tokenizer")->required();
  app.add_option("--rollouts", a.rollouts, "JSON file of num_generations, prompts, prompt_ids, completion_ids, rewards")->required();
  app.add_option("--save", a.save, "Where the model goes after the step");
  app.add_option("--max-tokens", a.max_tokens, "Rows of a micro-batch");
  app.add_option("--lr", a.learning_rate, "Learning rate");
  app.add_option("--adam-epsilon", a.adam_epsilon, "AdamW's epsilon");
  app.add_option("--threads", a.threads, "OpenMP threads; 0 = OpenMP's default");
  CLI11_PARSE(app, argc, argv);
  return grpo::bench::run_program([&a] {
    grpo::bench::set_threads(a.threads);
    run(a);
  });
}
