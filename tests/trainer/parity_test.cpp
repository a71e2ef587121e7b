// Oracle: TRL's own GRPOTrainer on real checkpoints (parity/trl, formats grpo-e2e and grpo-train): one step's loss and gradients, and the
// weights after several optimiser steps.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "algorithm/parity.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/loss.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "objective/no_grad.h"
#include "support/place.h"

namespace grpo {
namespace {

using nlohmann::json;
using testing::near;

/// Scripted completions as rollouts: rows of a prompt are adjacent.
std::vector<Rollout> rollouts_of(const json& prompts, const json& completions, int64_t group_size, int32_t eos) {
  std::vector<Rollout> rollouts;
  for (size_t i = 0; i < prompts.size(); ++i) {
    Rollout r;
    r.group = static_cast<int64_t>(i) / group_size;
    r.sample = static_cast<int64_t>(i) % group_size;
    r.prompt_ids = prompts[i].get<std::vector<int32_t>>();
    r.ids = completions[i].get<std::vector<int32_t>>();
    r.finish = r.ids.back() == eos ? FinishReason::kStop : FinishReason::kLength;
    rollouts.push_back(std::move(r));
  }
  return rollouts;
}

std::vector<int64_t> groups_of(const std::vector<Rollout>& rollouts) {
  std::vector<int64_t> groups;
  for (const auto& r : rollouts) groups.push_back(r.group);
  return groups;
}

at::Tensor reward_tensor(const std::vector<std::vector<double>>& rows) {
  at::Tensor t = at::empty({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.front().size())}, at::kDouble);
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < rows[i].size(); ++j) t[static_cast<int64_t>(i)][static_cast<int64_t>(j)] = rows[i][j];
  }
  return t;
}

std::vector<float> values_of(const Safetensors& file, const std::string& name) {
  const TensorEntry* entry = file.find(name);
  if (entry == nullptr) return {};
  std::vector<float> values(static_cast<size_t>(entry->numel()));
  convert_to_float(entry->bytes.data(), entry->dtype, values.data(), entry->numel());
  return values;
}

class Update {
 public:
  Update(Transformer& model, const json& config) : model_(model), config_(config), loss_(testing::loss_config(config, false)) {}

  double operator()(const Batch& batch) {
    auto normalizer = loss_normalizer(batch, config_.at("max_completion_length").get<int64_t>());
    const LogprobOptions options{.temperature = config_.at("temperature"), .entropy = true};
    if (loss_.top_entropy_quantile < 1.0) {
      set_entropy_threshold(normalizer, outputs_without_grad(model_, batch, options, 24).entropy.cpu(), batch.mask,
                            loss_.top_entropy_quantile);
    }
    for (auto* arena : model_.parameters()) arena->flat_grad().zero_();
    metrics.clear();
    double loss = 0.0;
    for (const auto& micro : batch.split({.max_tokens = 24})) {  // small, so that groups are cut and prompts repeated
      loss += model_
                  .forward_backward(micro,
                                    [&](const TokenOutputs& out) {
                                      auto result =
                                          policy_loss(out.logprobs, out.entropy, micro.to(out.logprobs.device()), normalizer, loss_);
                                      merge(metrics, result.metrics);
                                      return result.loss;
                                    },
                                    {.temperature = config_.at("temperature").get<double>()})
                  .item<double>();
    }
    return loss;
  }
  Tallies metrics;

 private:
  Transformer& model_;
  const json& config_;
  LossConfig loss_;
};

class ParityTrl : public ::testing::TestWithParam<testing::Place> {
 protected:
  ParityTrl() : use_(GetParam()) {}
  static std::unique_ptr<Transformer> load(const std::filesystem::path& folder) {
    return load_model(folder, {.device = GetParam().device});
  }

 private:
  testing::At use_;
};
INSTANTIATE_TEST_SUITE_P(Places, ParityTrl, ::testing::ValuesIn(testing::float_places()), testing::place_name);

TEST_P(ParityTrl, OneStepOnACheckpoint) {
  GRPO_REQUIRE_DATA(testing::trl_dir());
  for (const auto& [name, test] : testing::trl_files("grpo-e2e")) {
    SCOPED_TRACE(name);
    const auto &config = test.at("config"), &inputs = test.at("inputs"), &expected = test.at("expected");
    const auto model = load(testing::parity_dir() / test.at("model").get<std::string>());
    const auto rollouts =
        rollouts_of(inputs.at("prompt_ids"), inputs.at("completion_ids"), config.at("num_generations"), inputs.at("eos_token_id"));
    const at::Tensor advantages = group_advantages(reward_tensor(testing::table(inputs.at("rewards_per_func"))), groups_of(rollouts),
                                                   testing::advantage_config(config));
    Batch batch = make_batch(rollouts, advantages);
    const double temperature = config.at("temperature");
    if (config.at("beta").get<double>() > 0.0)
      batch.ref_logprobs = outputs_without_grad(*model, batch, {.temperature = temperature}, 1 << 20).logprobs;

    TokenOutputs out = model->logprobs(batch, {.temperature = temperature, .entropy = true});
    out = {out.logprobs.cpu(), out.entropy.cpu(), {}};
    int64_t pair = 0;
    for (size_t i = 0; i < rollouts.size(); ++i) {
      EXPECT_NEAR(advantages[static_cast<int64_t>(i)].item<double>(), expected.at("advantages")[i].get<double>(), 1e-4);
      for (size_t t = 0; t < rollouts[i].ids.size(); ++t, ++pair) {
        ASSERT_NEAR(out.logprobs[pair].item<double>(), expected.at("per_token_logps")[i][t].get<double>(), 1e-4);
        ASSERT_NEAR(out.entropy[pair].item<double>(), expected.at("entropies")[i][t].get<double>(), 1e-4);
      }
    }
    Update update(*model, config);
    EXPECT_NEAR(update(batch), expected.at("loss").get<double>(), 1e-5);
    const auto grads = Safetensors::open(testing::trl_dir() / expected.at("grads_file").get<std::string>());
    for (const auto& parameter : model->named_parameters()) {
      const auto golden = values_of(grads, parameter.name);
      const at::Tensor grad = parameter.grad.cpu().contiguous();
      ASSERT_EQ(static_cast<int64_t>(golden.size()), grad.numel()) << parameter.name;
      for (size_t i = 0; i < golden.size(); ++i) {
        ASSERT_NEAR(grad.const_data_ptr<float>()[i], golden[i], 1e-4 + 1e-3 * std::abs(golden[i])) << parameter.name;
      }
    }
  }
}

/// The fixture's rewards: share of even ids; 1 for at most four tokens.
std::vector<std::vector<double>> scripted_rewards(const std::vector<Rollout>& rollouts) {
  std::vector<std::vector<double>> rows;
  for (const auto& r : rollouts) {
    const auto even = std::ranges::count_if(r.ids, [](int32_t id) { return id % 2 == 0; });
    rows.push_back({static_cast<double>(even) / static_cast<double>(r.ids.size()), r.ids.size() <= 4 ? 1.0 : 0.0});
  }
  return rows;
}

OptimConfig optim_config(const json& config) {
  OptimConfig optim;
  optim.learning_rate = config.at("learning_rate");
  optim.adam_beta1 = config.at("adam_beta1");
  optim.adam_beta2 = config.at("adam_beta2");
  optim.adam_epsilon = config.at("adam_epsilon");
  optim.weight_decay = config.at("weight_decay");
  optim.max_grad_norm = config.at("max_grad_norm");
  const bool constant = config.at("lr_scheduler_type").get<std::string>().starts_with("constant");
  optim.lr_scheduler_type = constant ? OptimConfig::Schedule::kConstant : OptimConfig::Schedule::kLinear;
  optim.warmup_steps = config.at("warmup_steps");
  return optim;
}

TEST_P(ParityTrl, SeveralOptimizerSteps) {
  GRPO_REQUIRE_DATA(testing::trl_dir());
  for (const auto& [name, test] : testing::trl_files("grpo-train")) {
    SCOPED_TRACE(name);
    const auto &config = test.at("config"), &logs = test.at("expected").at("logs");
    const std::filesystem::path folder = testing::parity_dir() / test.at("model").get<std::string>();
    const auto model = load(folder), reference = load(folder);
    AdamW optimizer(model->parameters(), optim_config(config));
    Update update(*model, config);
    Batch batch;
    for (int64_t step = 0; step < static_cast<int64_t>(logs.size()); ++step) {
      for (const auto& rollout : test.at("rollouts")) {
        if (rollout.at("called_at_step").get<int64_t>() != step) continue;
        const auto rollouts = rollouts_of(rollout.at("prompt_ids"), rollout.at("completion_ids"), config.at("num_generations"), 2);
        batch = make_batch(
            rollouts, group_advantages(reward_tensor(scripted_rewards(rollouts)), groups_of(rollouts), testing::advantage_config(config)));
        if (config.at("num_iterations").get<int64_t>() > 1)
          batch.old_logprobs = outputs_without_grad(*model, batch, {.temperature = config.at("temperature")}, 1 << 20).logprobs;
        if (config.at("beta").get<double>() > 0.0)
          batch.ref_logprobs = outputs_without_grad(*reference, batch, {.temperature = config.at("temperature")}, 1 << 20).logprobs;
      }
      const auto& log = logs[static_cast<size_t>(step)];
      const double rate = scheduled_learning_rate(optimizer.config(), step, config.at("max_steps"));
      EXPECT_NEAR(rate, log.at("learning_rate").get<double>(), 1e-9);
      EXPECT_NEAR(update(batch), log.at("loss").get<double>(), 1e-5) << "step " << step + 1;
      EXPECT_TRUE(near(optimizer.step(rate).grad_norm, log.at("grad_norm"), 1e-4)) << "step " << step + 1;
      for (const char* metric : {"kl", "clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean"}) {
        if (!log.contains(metric)) continue;
        EXPECT_TRUE(near(update.metrics.at(metric).result(), log.at(metric), 1e-4)) << metric << " step " << step + 1;
      }
    }
    const auto golden = Safetensors::open(testing::trl_dir() / test.at("expected").at("final_file").get<std::string>());
    int64_t total = 0, off = 0;
    for (const auto& parameter : model->named_parameters()) {
      const auto expected = values_of(golden, parameter.name);
      const at::Tensor value = parameter.value.cpu().contiguous();
      ASSERT_EQ(static_cast<int64_t>(expected.size()), value.numel()) << parameter.name;
      for (size_t i = 0; i < expected.size(); ++i, ++total) {
        const double difference = std::abs(value.const_data_ptr<float>()[i] - expected[i]);
        ASSERT_LT(difference, 1e-4) << parameter.name;
        off += difference > 1e-6 ? 1 : 0;
      }
    }
    EXPECT_LT(static_cast<double>(off) / static_cast<double>(total), 1e-3);
  }
}

}  // namespace
}  // namespace grpo
