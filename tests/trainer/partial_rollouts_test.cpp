// Oracles: whole rollouts (at a zero rate), the uninterrupted run (resume), hand-made groups.
#include <algorithm>
#include <map>

#include "grpo/core/error.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"
#include "support/parity.h"
#include "trainer/group_sampler.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::equal;
using testing::metric_lines;
using testing::registry;
using testing::weights;

Config partial_config(const std::string& name, int64_t length) {
  Config c = testing::tiny_config("partial-" + name);
  testing::pause_samples(c, length);
  c.trainer.max_steps = 6;
  return c;
}

using Completions = std::map<std::pair<int64_t, int64_t>, std::vector<int32_t>>;  // by problem and sample

/// The registry with a reward that notes the completions that it sees.
Registry noting(Completions& seen) {
  Registry r = registry();
  r.add_reward("note", [&seen](const Completion& c) {
    EXPECT_TRUE(seen.emplace(std::pair(c.problem->index, c.sample), c.ids).second);
    EXPECT_NE(c.finish, FinishReason::kPaused);
    return 0.0;
  });
  return r;
}

// The problems are more than the run begins: each one's samples are seen once.
TEST(PartialRollouts, AreTheWholeOnesWhileWeightsDoNotMove) {
  Completions whole, partial;
  Config c = partial_config("whole", 0);
  c.data.train.count = 60;
  c.optim.learning_rate = 0.0;
  c.reward.push_back({.name = "note", .function = {}, .weight = 0.0, .options = {}});
  PolicyTrainer at_once(c, {}, noting(whole));
  while (at_once.step()) {
  }
  EXPECT_EQ(whole.size(), 6U * 16U);
  for (const int64_t length : {1, 3, 7}) {
    SCOPED_TRACE(length);
    c.rollout.partial_rollout_length = length;
    partial.clear();
    double waiting = 0.0, trained = 0.0, generated = 0.0, oldest = 0.0;
    PolicyTrainer trainer(c, {}, noting(partial));
    while (const auto report = trainer.step()) {
      const auto& m = report->metrics;
      waiting = m.at("rollout/waiting");
      trained += m.at("tokens/trained");
      generated += m.at("tokens/generated");
      oldest = std::max(oldest, m.at("rollout/staleness_max"));
      EXPECT_EQ(m.at("tokens/dropped"), 0.0);
      EXPECT_LT(m.at("sampling/sampling_logp_difference/max"), 2e-4);
    }
    EXPECT_GT(oldest, 0.0);
    EXPECT_LT(trained, generated);
    EXPECT_EQ(partial.size() + 2 * static_cast<size_t>(waiting), whole.size());
    for (const auto& [sample, ids] : partial)
      EXPECT_EQ(ids, whole.at(sample)) << "problem " << sample.first << ", sample " << sample.second;
  }
}

// Log-probs are those of the version that sampled each token: after an update the trainer's differ from those of earlier tokens.
TEST(PartialRollouts, TrainOnTheLogprobsOfEveryTokensOwnVersion) {
  Config c = partial_config("versions", 4);
  c.optim.learning_rate = 2e-2;
  c.optim.lr_scheduler_type = "constant";
  PolicyTrainer trainer(c, {}, registry());
  while (const auto report = trainer.step()) {
    const bool mixed = report->metrics.at("rollout/staleness_max") > 0.0;
    EXPECT_EQ(report->metrics.at("sampling/sampling_logp_difference/max") > 1e-3, mixed) << report->step;
    EXPECT_EQ(report->metrics.at("clip_ratio/region_mean"), 0.0);  // the ratio is to the policy as it was before the update
  }
}

class Staleness : public ::testing::TestWithParam<int64_t> {};

// Samples wait for up to 12 rollouts; the oldest that may be trained on are.
TEST_P(Staleness, IsBoundedInTheLastUpdateOfARollout) {
  Config c = partial_config("stale-" + std::to_string(GetParam()), 2);
  c.algorithm.num_iterations = GetParam();
  c.trainer.max_steps = 10 * GetParam();
  const auto run = [&c] {
    double oldest = 0.0, dropped = 0.0;
    PolicyTrainer trainer(c, {}, registry());
    while (const auto report = trainer.step()) {
      oldest = std::max(oldest, report->metrics.at("rollout/staleness_max"));
      EXPECT_LE(report->metrics.at("rollout/staleness_mean"), report->metrics.at("rollout/staleness_max"));
      const auto found = report->metrics.find("rollout/stale_dropped");  // once a rollout
      if (found == report->metrics.end()) continue;
      dropped += found->second;
      EXPECT_EQ(report->metrics.at("tokens/dropped") > 0.0, found->second > 0.0);
    }
    return std::pair(oldest, dropped);
  };
  const auto [unbounded, none] = run();
  const int64_t limit = 2 * GetParam() - 1;  // one rollout of waiting
  EXPECT_GT(unbounded, static_cast<double>(limit));
  EXPECT_EQ(none, 0.0);
  c.algorithm.max_staleness = limit;
  const auto [oldest, dropped] = run();
  EXPECT_EQ(oldest, static_cast<double>(limit));
  EXPECT_GT(dropped, 0.0);
  c.algorithm.max_staleness = limit - 1;
  EXPECT_THROW(validate(c, Command::kTrain), Error);
}
INSTANTIATE_TEST_SUITE_P(UpdatesPerRollout, Staleness, ::testing::Values(1, 2));

TEST(PartialRollouts, ResumeWithWhatWaits) {
  Config c = partial_config("resume", 3);
  c.trainer.save_steps = 3;
  std::vector<at::Tensor> expected;
  {
    PolicyTrainer trainer(c, {}, registry());
    ASSERT_TRUE(trainer.train());
    expected = weights(trainer.model());
  }
  const auto lines = metric_lines(c);
  EXPECT_GT(lines.at(2).at("rollout/waiting").get<double>(), 0.0);
  const fs::path run = c.trainer.output_dir, file = run / "checkpoint-3" / "partial_rollouts.json";
  fs::remove_all(run / "checkpoint-6");
  const std::string saved = testing::read_text(file);
  std::ofstream(file) << saved.substr(0, saved.size() / 2);
  try {
    PolicyTrainer(c, {}, registry()).resume();
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("partial_rollouts.json"), std::string::npos) << error.what();
  }
  std::ofstream(file) << saved;
  testing::expect_resumes(c, expected, lines);
}

TEST(PartialRollouts, AreFinishedWhereARunGoesOnWithoutThem) {
  Config c = partial_config("off", 3);
  ASSERT_TRUE(PolicyTrainer(c, {}, registry()).train());
  const double waiting = metric_lines(c).back().at("rollout/waiting");
  EXPECT_GT(waiting, 0.0);
  c.rollout.partial_rollout_length = 0;
  c.trainer.max_steps = 8;
  PolicyTrainer trainer(c, {}, registry());
  ASSERT_TRUE(trainer.resume());
  for (const double groups : {waiting + 8.0, 8.0}) {
    const auto metrics = trainer.step()->metrics;
    EXPECT_EQ(metrics.at("tokens/dropped"), 0.0);
    EXPECT_NEAR(metrics.at("tokens/trained"), 2.0 * groups * metrics.at("completions/mean_length"), 1e-6);
  }
}

TEST(PartialRollouts, ReplaceGroupsThatTeachNothing) {
  Config c = partial_config("dynamic", 4);
  c.algorithm.dynamic_sampling = true;
  Registry r = registry();
  r.add_reward("odd_length", [](const Completion& completion) { return static_cast<double>(completion.ids.size() % 2); });
  c.reward = {{.name = "odd_length", .function = {}, .weight = 1.0, .options = {}}};
  PolicyTrainer trainer(c, {}, r);
  double dropped = 0.0, trained = 0.0, generated = 0.0;
  while (const auto report = trainer.step()) {
    auto metrics = report->metrics;
    EXPECT_EQ(metrics["frac_reward_zero_std"], 0.0);
    EXPECT_GE(metrics["tokens/dropped"], 0.0);
    dropped += metrics["tokens/dropped"];
    trained += metrics["tokens/trained"];
    generated += metrics["tokens/generated"];
  }
  EXPECT_GT(dropped, 0.0);
  EXPECT_LT(trained + dropped, generated);  // the rest waits
}

/// Waiting groups by hand: one of each version, each with a finished and a paused sample.
std::string waiting_groups(const std::vector<int64_t>& versions) {
  nlohmann::json groups = nlohmann::json::array();
  for (const int64_t version : versions) {
    nlohmann::json sample = {{"ids", {70, 71}},  {"logprobs", {-1.0, -2.5}}, {"processed_logprobs", {-1.0, -2.5}},
                             {"finish", "stop"}, {"born_at_step", version},  {"text", "FG"},
                             {"reward", nullptr}};
    sample["scores"] = nlohmann::json::array();
    nlohmann::json paused = sample;
    paused["finish"] = "paused";
    groups.push_back({{"item", 1},
                      {"seed", 42},
                      {"step", 0},
                      {"stream", 1},
                      {"prompt", "2+3"},
                      {"prompt_ids", {50, 43, 51}},
                      {"samples", {sample, paused}},
                      {"greedy_reward", nullptr}});
  }
  return groups.dump();
}

TEST(GroupSampler, DropsWhatBeganBeforeAStep) {
  const Config c = partial_config("by-hand", 3);
  const Policy policy = load_policy(c.model, 3);
  RolloutEngine engine(*policy.model);
  const std::vector<Problem> problems(2);
  const auto communicator = single_process();
  const std::vector<Policy::EncodedPrompt> prompts(2);
  GroupSampler sampler(policy, engine, problems, prompts, c.rollout, *communicator);
  const fs::path file = fs::path(::testing::TempDir()) / "waiting.json", copy = fs::path(::testing::TempDir()) / "waiting-copy.json";
  std::ofstream(file) << waiting_groups({3, 5, 4, 4});
  sampler.load(file);
  sampler.save(copy);
  EXPECT_EQ(testing::read_json(copy), testing::read_json(file));
  EXPECT_EQ(sampler.waiting_tokens(), 16.0);
  EXPECT_EQ(sampler.drop_older(3), 0);
  EXPECT_EQ(sampler.drop_older(4), 1);
  EXPECT_EQ(sampler.drop_older(5), 2);
  EXPECT_EQ(sampler.waiting(), 1);

  auto broken = nlohmann::json::parse(waiting_groups({1}));
  const auto refused = [&](const nlohmann::json& groups) {
    std::ofstream(file) << groups.dump();
    EXPECT_THROW(sampler.load(file), Error);
    EXPECT_EQ(sampler.waiting(), 1);
  };
  auto change = broken;
  change[0]["item"] = 2;
  refused(change);
  change = broken;
  change[0]["samples"].push_back(change[0]["samples"][0]);
  refused(change);
  change = broken;
  change[0]["samples"][0].erase("ids");
  refused(change);
  change = broken;
  change[0]["samples"][0]["finish"] = "tired";
  refused(change);
}

TEST(PartialRollouts, NeedTheSamplersCorrection) {
  Config c = partial_config("invalid", 4);
  EXPECT_NO_THROW(validate(c, Command::kTrain));
  c.algorithm.loss.importance_sampling_correction = false;
  EXPECT_THROW(validate(c, Command::kTrain), Error);
  c.rollout.allow_off_policy_sampling = true;
  EXPECT_NO_THROW(validate(c, Command::kTrain));
  c.rollout.partial_rollout_length = 0;
  c.algorithm.num_iterations = 3;
  c.algorithm.max_staleness = 1;  // the third pass over a rollout is two updates old
  EXPECT_THROW(validate(c, Command::kTrain), Error);
  c.algorithm.max_staleness = 2;
  EXPECT_NO_THROW(validate(c, Command::kTrain));
}

}  // namespace
}  // namespace grpo
