// Oracle: TRL's own GRPOTrainer on real checkpoints (parity/trl, formats grpo-e2e and grpo-train): one step's loss and gradients, and the
// weights after several optimiser steps.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cmath>

#include "algorithm/parity.h"
#include "grpo/algorithm/adaptive_entropy.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/loss.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/optim/schedule.h"
#include "objective/no_grad.h"
#include "support/place.h"

namespace grpo {
namespace {

using nlohmann::json;
using testing::FixtureConfig;
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

/// TRL shuffles a batch's rows before it cuts them into micro-batches: numbers that depend on which rows share one cannot be repeated.
void require_whole_batches(const FixtureConfig& config, const LossConfig& loss) {
  const auto parts = config.take<int64_t>("steps_per_generation"), accumulated = config.take<int64_t>("gradient_accumulation_steps");
  if (parts != accumulated) throw std::runtime_error("expected a fixture whose updates are on whole batches; got updates on parts of them");
  const bool local = loss.loss_type == LossType::kBnpo || loss.top_entropy_quantile < 1.0;
  if (parts > 1 && local) throw std::runtime_error("expected a fixture whose loss does not depend on the cut into micro-batches");
}

class Update {
 public:
  Update(Transformer& model, const FixtureConfig& config)
      : model_(model),
        loss_(testing::loss_config(config, false)),
        adaptive_entropy_(loss_),
        temperature_(config.take("temperature")),
        max_completion_length_(config.take("max_completion_length")) {
    require_whole_batches(config, loss_);
  }

  double operator()(const Batch& batch) {
    auto normalizer = loss_normalizer(batch, max_completion_length_);
    const LogprobOptions options{.temperature = temperature_, .entropy = true};
    if (loss_.use_adaptive_entropy) loss_.entropy_coef = adaptive_entropy_.applied();
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
                                    {.temperature = temperature_})
                  .item<double>();
    }
    if (metrics.contains("bonus_entropy")) adaptive_entropy_.update(metrics.at("bonus_entropy").result());
    return loss;
  }
  Tallies metrics;

 private:
  Transformer& model_;
  LossConfig loss_;
  AdaptiveEntropy adaptive_entropy_;
  double temperature_;
  int64_t max_completion_length_;
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
    const FixtureConfig config(test.at("config"), "grpo-e2e");
    const auto &inputs = test.at("inputs"), &expected = test.at("expected");
    const auto model = load(testing::parity_dir() / test.at("model").get<std::string>());
    const auto rollouts =
        rollouts_of(inputs.at("prompt_ids"), inputs.at("completion_ids"), config.take("num_generations"), inputs.at("eos_token_id"));
    const at::Tensor advantages = group_advantages(reward_tensor(testing::table(inputs.at("rewards_per_func"))), groups_of(rollouts),
                                                   testing::advantage_config(config));
    Batch batch = make_batch(rollouts, advantages, {.mask_truncated_completions = config.take("mask_truncated_completions")});
    const double temperature = config.take("temperature");
    if (config.take<double>("beta") > 0.0)
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

/// Of an enumerator of Python's, "SchedulerType.COSINE" or its value, the value.
std::string enumerator(const json& value) {
  auto name = value.get<std::string>();
  name = name.substr(name.rfind('.') + 1);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

/// As transformers counts them: a number below 1 is a share of the steps, as is `warmup_ratio`.
int64_t warmup_steps(const FixtureConfig& config, int64_t max_steps) {
  const double given = config.take<double>("warmup_steps"), ratio = config.take_or("warmup_ratio", 0.0);
  if (given >= 1.0) return static_cast<int64_t>(given);
  return static_cast<int64_t>(std::ceil(static_cast<double>(max_steps) * (given > 0.0 ? given : ratio)));
}

/// The schedule in transformers' names. Its "constant" knows no warm-up.
void read_schedule(const FixtureConfig& config, int64_t max_steps, OptimConfig& optim) {
  constexpr std::array<const char*, 5> kKinds = {"linear", "cosine", "cosine", "constant", "constant"};
  const std::string name = enumerator(config.take("lr_scheduler_type"));
  const int kind = testing::index_of<5>({"linear", "cosine", "cosine_with_min_lr", "constant", "constant_with_warmup"}, name);
  optim.lr_scheduler_type = kKinds[static_cast<size_t>(kind)];
  const int64_t warmup = warmup_steps(config, max_steps);
  optim.warmup_steps = name == "constant" ? 0 : warmup;
  const json more = config.take_or("lr_scheduler_kwargs", json::object());
  const FixtureConfig schedule(more, "grpo-train: lr_scheduler_kwargs");
  if (name != "cosine_with_min_lr") return;
  optim.min_lr_ratio =
      schedule.has("min_lr_rate") ? schedule.take<double>("min_lr_rate") : schedule.take<double>("min_lr") / optim.learning_rate;
}

OptimConfig optim_config(const FixtureConfig& config, int64_t max_steps) {
  testing::index_of<2>({"adamw_torch", "adamw_torch_fused"}, enumerator(config.take("optim")));
  OptimConfig optim;
  optim.learning_rate = config.take("learning_rate");
  optim.adam_beta1 = config.take("adam_beta1");
  optim.adam_beta2 = config.take("adam_beta2");
  optim.adam_epsilon = config.take("adam_epsilon");
  optim.weight_decay = config.take("weight_decay");
  optim.max_grad_norm = config.take("max_grad_norm");
  read_schedule(config, max_steps, optim);
  return optim;
}

TEST_P(ParityTrl, SeveralOptimizerSteps) {
  GRPO_REQUIRE_DATA(testing::trl_dir());
  for (const auto& [name, test] : testing::trl_files("grpo-train")) {
    SCOPED_TRACE(name);
    const FixtureConfig config(test.at("config"), "grpo-train");
    const auto& logs = test.at("expected").at("logs");
    const std::filesystem::path folder = testing::parity_dir() / test.at("model").get<std::string>();
    const auto model = load(folder), reference = load(folder);
    const auto max_steps = config.take<int64_t>("max_steps");
    const bool reused = config.take<int64_t>("num_iterations") > 1, referred = config.take<double>("beta") > 0.0;
    const BatchOptions masks{.mask_truncated_completions = config.take("mask_truncated_completions")};
    const double temperature = config.take("temperature");
    const AdvantageConfig advantage = testing::advantage_config(config);
    AdamW optimizer(model->parameters(), optim_config(config, max_steps));
    Update update(*model, config);
    Batch batch;
    const auto schedule = builtin_schedules().make(optimizer.config().lr_scheduler_type);
    for (int64_t step = 0; step < static_cast<int64_t>(logs.size()); ++step) {
      for (const auto& rollout : test.at("rollouts")) {
        if (rollout.at("called_at_step").get<int64_t>() != step) continue;
        const auto rollouts = rollouts_of(rollout.at("prompt_ids"), rollout.at("completion_ids"), config.take("num_generations"), 2);
        batch = make_batch(rollouts, group_advantages(reward_tensor(scripted_rewards(rollouts)), groups_of(rollouts), advantage), masks);
        if (reused) batch.old_logprobs = outputs_without_grad(*model, batch, {.temperature = temperature}, 1 << 20).logprobs;
        if (referred) batch.ref_logprobs = outputs_without_grad(*reference, batch, {.temperature = temperature}, 1 << 20).logprobs;
      }
      const auto& log = logs[static_cast<size_t>(step)];
      const double rate = scheduled_learning_rate(optimizer.config(), *schedule, step, max_steps);
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
