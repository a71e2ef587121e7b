// The program's own training in several processes. Oracles: the run of one process; hand counts.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "support/processes.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Process;

constexpr auto kPatience = std::chrono::seconds(120);

class Training : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("training-" + std::to_string(seed_));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::cout << "seed " << seed_ << "\n";
    std::vector<std::string> capitals;  // a new model samples one in ten tokens: lengths differ
    for (char letter = 'A'; letter <= 'Z'; ++letter) capitals.emplace_back(1, letter);
    config_ = {{"model",
                {{"new",
                  {{"hidden_size", 16},
                   {"intermediate_size", 32},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 2},
                   {"max_position_embeddings", 64}}}}},
               {"data",
                {{"train", {{"task", "chained_arithmetic"}, {"options", {{"terms", 2}}}, {"count", 4}, {"seed", seed_ % 1000}}},
                 {"prompt_template", "plain"}}},
               {"reward", {{{"name", "soft_overlong"}, {"options", {{"max_length", 24}, {"cache", 24}}}}}},  // the shorter the better
               {"rollout", {{"num_generations", 3}, {"max_completion_length", 24}, {"stop", std::move(capitals)}}},
               {"algorithm", {{"generation_batch_size", 15}}},
               {"optim", {{"learning_rate", 1e-3}, {"adam_epsilon", 1e-3}}},
               {"trainer", {{"seed", seed_ % 1000}, {"max_steps", 2}, {"max_tokens", 64}, {"log_completions", 15}}}};
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// The ranks of a run into folder_/name.
  std::vector<std::unique_ptr<Process>> start(int world_size, const std::string& name, const std::string& command = "train",
                                              const std::vector<std::string>& more = {}) {
    json config = config_;
    config["trainer"]["output_dir"] = (folder_ / name).string();
    const fs::path file = folder_ / (name + ".json");
    std::ofstream(file) << config.dump();
    std::vector<std::string> words = {GRPO_BINARY_DIR "/bin/grpo", command, file.string()};
    words.insert(words.end(), more.begin(), more.end());
    const int port = testing::free_port();
    std::vector<std::unique_ptr<Process>> ranks;
    for (int rank = 0; rank < world_size; ++rank) {
      ranks.push_back(std::make_unique<Process>(words, testing::rank_variables(rank, world_size, port)));
    }
    return ranks;
  }
  void run(int world_size, const std::string& name, const std::string& command = "train", const std::vector<std::string>& more = {}) {
    for (auto& rank : start(world_size, name, command, more)) {
      ASSERT_TRUE(rank->wait_for(kPatience)) << rank->output();
      ASSERT_EQ(rank->status(), 0) << rank->output();
    }
  }
  std::vector<json> lines(const std::string& name, const std::string& file = "metrics.jsonl") const {
    std::vector<json> all;
    std::ifstream in(folder_ / name / file);
    for (std::string text; std::getline(in, text);) {
      all.push_back(json::parse(text));
      all.back().erase("time/checkpoint");  // a process has it after a checkpoint of its own
    }
    return all;
  }

  /// Figures of the samples are equal; those of float sums, in another order, nearly so.
  void expect_same_metrics(const std::string& a, const std::string& b) const {
    auto one = lines(a), other = lines(b);
    ASSERT_EQ(one.size(), other.size());
    ASSERT_FALSE(one.empty());
    EXPECT_GT(one.back().at("grad_norm").get<double>(), 1e-3);
    for (size_t i = 0; i < one.size(); ++i) {
      one[i].erase("changed_settings"), other[i].erase("changed_settings");  // the number of ranks, where a run was resumed
      ASSERT_EQ(one[i].size(), other[i].size()) << one[i] << "\n" << other[i];
      for (const auto& [key, value] : one[i].items()) {
        if (key.rfind("time/", 0) == 0 || key == "step_time" || key == "eval_seconds" || value.is_null()) continue;
        ASSERT_TRUE(other[i].contains(key)) << key;
        const double expected = value.get<double>();
        EXPECT_NEAR(other[i][key].get<double>(), expected, 1e-5 + 1e-4 * std::abs(expected)) << b << " " << key << " at line " << i;
      }
    }
  }
  /// Weights after training. The large epsilon keeps AdamW from making a whole step of a gradient that is but rounding.
  void expect_same_weights(const std::string& a, const std::string& b) const {
    const auto one = load_model(folder_ / a / "model"), other = load_model(folder_ / b / "model");
    for (size_t i = 0; i < one->parameters().size(); ++i) {
      const at::Tensor difference = (one->parameters()[i]->flat() - other->parameters()[i]->flat()).abs();
      EXPECT_LT(difference.max().item<double>(), 2e-6) << b << ", arena " << i;
    }
  }

  const uint64_t seed_ = std::random_device()();
  fs::path folder_;
  json config_;
};

TEST_F(Training, IsThatOfOneProcessForAnyNumberOfRanks) {
  run(1, "one");
  const auto samples = lines("one", "completions.jsonl");
  ASSERT_EQ(samples.size(), 30U);
  for (const int world_size : {2, 3}) {  // five problems a step, drawn from four: unequal shares, and a problem twice in a step
    const std::string name = "of" + std::to_string(world_size);
    run(world_size, name);
    const auto here = lines(name, "completions.jsonl");
    ASSERT_EQ(here.size(), samples.size());
    for (size_t i = 0; i < 15; ++i) EXPECT_EQ(here[i], samples[i]) << "sample " << i;  // of equal weights
    expect_same_metrics("one", name);
    expect_same_weights("one", name);
  }
}

TEST_F(Training, IsTheSameWithEveryFigureThatRanksMustAgreeOn) {
  config_["algorithm"].update({{"steps_per_generation", 3},
                               {"num_iterations", 2},
                               {"beta", 0.1},
                               {"loss_type", "grpo"},
                               {"top_entropy_quantile", 0.4},
                               {"entropy_coef", 0.01},
                               {"dynamic_sampling", true},
                               {"mask_truncated_completions", true}});
  config_["trainer"]["shuffle_rewards"] = true;
  config_["trainer"]["max_steps"] = 6;
  config_["eval"] = {{"data", {{"task", "chained_arithmetic"}, {"split", "test"}, {"options", {{"terms", 2}}}, {"count", 5}}},
                     {"at_start", true},
                     {"num_generations_eval", 2}};
  run(1, "one");
  run(3, "of3");
  expect_same_metrics("one", "of3");
  expect_same_weights("one", "of3");
}

// The KL in the reward is computed by shares and enters every rank's advantages; clip_cov's means and threshold are of all ranks' tokens.
TEST_F(Training, IsTheSameWithKlInTheRewardAndCovariances) {
  config_["algorithm"].update({{"steps_per_generation", 3},
                               {"num_iterations", 2},
                               {"advantage_estimator", "rloo"},
                               {"beta", 0.1},
                               {"kl_estimator", "k1"},
                               {"use_kl_in_reward", true},
                               {"use_adaptive_kl", true},
                               {"kl_horizon", 100},
                               {"loss_type", "clip_cov"},
                               {"clip_cov_min", -5},
                               {"clip_cov_ratio", 0.2}});
  config_["trainer"]["max_steps"] = 12;
  run(1, "one");
  run(3, "of3");
  expect_same_metrics("one", "of3");
  expect_same_weights("one", "of3");
}

// A critic's values and pairs' reference log-probs are computed by shares; both models' gradients are summed over ranks.
TEST_F(Training, IsTheSameForObjectivesWithMoreThanAPolicy) {
  const json side = {{"learning_rate", 1e-2}, {"adam_epsilon", 1e-3}};
  config_["algorithm"]["steps_per_generation"] = 3;
  config_["trainer"]["max_steps"] = 6;
  for (const std::string objective : {"ppo", "online_dpo"}) {
    config_["algorithm"]["objective"] = objective;
    config_["algorithm"].erase("ppo");
    if (objective == "ppo") config_["algorithm"]["ppo"] = {{"optim", side}, {"value_warmup_steps", 1}};
    run(1, objective + "-one");
    run(3, objective + "-of3");
    expect_same_metrics(objective + "-one", objective + "-of3");
    expect_same_weights(objective + "-one", objective + "-of3");
  }
}

// What waits is dealt to the ranks anew in every rollout, and by a resumed run to any number of them.
TEST_F(Training, IsTheSameWithPartialRollouts) {
  for (char letter = 'a'; letter <= 'z'; ++letter) config_["rollout"]["stop"].push_back(std::string(1, letter));
  config_["rollout"]["partial_rollout_length"] = 5;
  config_["algorithm"]["max_staleness"] = 2;
  config_["trainer"].update({{"max_steps", 6}, {"save_steps", 3}});
  run(1, "one");
  run(3, "of3");
  expect_same_metrics("one", "of3");
  expect_same_weights("one", "of3");
  const auto steps = lines("one");
  EXPECT_GT(steps.at(2).at("rollout/waiting").get<double>(), 0.0);
  EXPECT_TRUE(
      std::any_of(steps.begin(), steps.end(), [](const json& step) { return step.at("rollout/staleness_max").get<double>() > 0.0; }));
  fs::remove_all(folder_ / "of3" / "checkpoint-6");
  fs::remove_all(folder_ / "of3" / "model");
  run(2, "of3", "train", {"--resume"});
  expect_same_metrics("one", "of3");
  expect_same_weights("one", "of3");
}

TEST_F(Training, GoesOnWhereARankHasNothingToTrainOn) {
  config_["rollout"]["num_generations"] = 6;
  config_["algorithm"]["generation_batch_size"] = 6;
  config_["algorithm"]["steps_per_generation"] = 6;
  config_["trainer"]["max_steps"] = 6;
  run(1, "one");
  run(2, "of2");
  expect_same_metrics("one", "of2");
  expect_same_weights("one", "of2");
}

TEST_F(Training, SupervisedIsThatOfOneProcess) {
  config_["data"]["demonstrations"] = true;
  config_["data"]["train"]["count"] = 20;
  config_["data"]["train"]["options"] = {{"terms", 2}};
  config_["trainer"]["batch_size"] = 7;
  config_["model"]["new"]["max_position_embeddings"] = 256;
  config_.erase("reward");
  config_.erase("algorithm");
  run(1, "one", "sft");
  run(3, "of3", "sft");
  expect_same_metrics("one", "of3");
  expect_same_weights("one", "of3");
}

TEST_F(Training, OutlivesAKilledRankByResumingWithOtherRanks) {
  config_["trainer"].update({{"max_steps", 100000}, {"save_steps", 2}});
  auto ranks = start(3, "run");
  const auto saved = [&] {
    for (const auto& entry : fs::directory_iterator(folder_ / "run")) {
      if (entry.path().filename().string().rfind("checkpoint-", 0) == 0) return true;
    }
    return false;
  };
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!(fs::exists(folder_ / "run") && saved())) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ranks[1]->kill(SIGKILL);
  for (const size_t rank : {0, 2}) {
    ASSERT_TRUE(ranks[rank]->wait_for(kPatience)) << "rank " << rank << " hangs";
    EXPECT_EQ(ranks[rank]->status(), 1);
    EXPECT_NE(ranks[rank]->output().find("got no sign of rank 1"), std::string::npos) << ranks[rank]->output();
  }
  const auto step = static_cast<int64_t>(lines("run").back()["step"]);
  config_["trainer"]["max_steps"] = step + 2;
  run(2, "run", "train", {"--resume"});
  const auto all = lines("run");
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i]["step"], i + 1) << "each step once, in order";
  EXPECT_EQ(all.size(), static_cast<size_t>(step) + 2);
}

TEST_F(Training, StopsOnAllRanksWhereOneIsInterrupted) {
  config_["trainer"]["max_steps"] = 100000;
  auto ranks = start(2, "run");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (lines("run").size() < 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ranks[1]->kill(SIGTERM);
  for (auto& rank : ranks) {
    ASSERT_TRUE(rank->wait_for(kPatience));
    EXPECT_EQ(rank->status(), 75);
    EXPECT_NE(rank->output().find("a signal stopped the run; continue with --resume"), std::string::npos) << rank->output();
  }
  EXPECT_TRUE(fs::exists(folder_ / "run" / ("checkpoint-" + lines("run").back()["step"].dump())));
}

TEST_F(Training, ALongRolloutOfEveryRankIsAbandonedIfOneIsInterrupted) {
  config_["model"]["new"]["max_position_embeddings"] = 4000;
  config_["rollout"] = {{"num_generations", 16}, {"max_completion_length", 3000}};
  config_["algorithm"]["generation_batch_size"] = 1048576;
  config_["trainer"]["ddp_timeout"] = 600;
  auto ranks = start(2, "run");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!fs::exists(folder_ / "run" / "config.json")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  ranks[1]->kill(SIGTERM);
  for (auto& rank : ranks) {
    ASSERT_TRUE(rank->wait_for(std::chrono::seconds(30))) << "a launcher would kill it";
    EXPECT_EQ(rank->status(), 75) << rank->output();
  }
}

TEST_F(Training, StopsBeforeTheFirstStepIfRanksDisagree) {
  for (const auto& [setting, shown] : {std::pair("optim.learning_rate=0.01", "optim.learning_rate: rank 0 has 0.001, rank 1 has 0.01"),
                                       {"data.train.seed=1001", "content.data: rank 0 has 4 problems, "},
                                       {"model.new.rope_theta=500", "model.new.rope_theta: rank 0 has 10000.0, rank 1 has 500.0"},
                                       {"trainer.seed=1001", "content.model: rank 0 has "}}) {
    json config = config_;
    config["trainer"]["output_dir"] = (folder_ / "run").string();
    const fs::path file = folder_ / "disagree.json";
    std::ofstream(file) << config.dump();
    const int port = testing::free_port();
    const std::string program = GRPO_BINARY_DIR "/bin/grpo";
    Process first({program, "train", file.string()}, testing::rank_variables(0, 2, port));
    Process second({program, "train", file.string(), setting}, testing::rank_variables(1, 2, port));
    for (auto* rank : {&first, &second}) {
      ASSERT_TRUE(rank->wait_for(kPatience)) << rank->output();
      EXPECT_EQ(rank->status(), 2) << rank->output();
      EXPECT_NE(rank->output().find(shown), std::string::npos) << rank->output();
    }
    EXPECT_FALSE(fs::exists(folder_ / "run"));
  }
}

TEST_F(Training, ALongWaitForARankIsSaid) {
  const auto said = [](const Process& process, const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (process.output().find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return process.output().find(text) != std::string::npos;
  };
  json config = config_;
  config["trainer"].update({{"max_steps", 100000}, {"output_dir", (folder_ / "run").string()}});
  const fs::path file = folder_ / "wait.json";
  std::ofstream(file) << config.dump();
  const int port = testing::free_port();
  const std::vector<std::string> words = {GRPO_BINARY_DIR "/bin/grpo", "train", file.string()};
  const Process second(words, testing::rank_variables(1, 2, port));
  EXPECT_TRUE(said(second, "waiting for rank 0 at 127.0.0.1:" + std::to_string(port) + " since 10 s")) << second.output();
  const Process first(words, testing::rank_variables(0, 2, port));
  ASSERT_TRUE(said(first, "train 1/")) << first.output();
  second.kill(SIGSTOP);
  EXPECT_TRUE(said(first, "waiting for rank 1 in ")) << first.output();
  second.kill(SIGCONT);
}

}  // namespace
}  // namespace grpo
