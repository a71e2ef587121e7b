// Oracles: the uninterrupted run (resume), hand counts, and that what is rewarded becomes more likely (sanity of each objective).
#include <cmath>

#include "grpo/core/error.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"
#include "support/parity.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::equal;
using testing::metric_lines;
using testing::registry;
using testing::tiny_config;
using testing::weights;

struct Row {
  const char* name;
  std::string type;
  double learning_rate = 2e-2;  // of the sanity run
  std::function<void(Config&)> change = [](Config&) {};
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

const Row kRows[] = {
    {"grpo", "grpo"},
    {"grpo_reference_moves", "grpo", 2e-2,
     [](Config& c) {
       c.algorithm.loss.beta = 0.05;
       c.algorithm.sync_ref_model = true;
       c.algorithm.ref_model_sync_steps = 1;
     }},
    {"grpo_partial", "grpo", 2e-2, [](Config& c) { testing::pause_samples(c, 4); }},
    {"rloo", "rloo"},
    {"reinforce_plus_plus", "reinforce_plus_plus", 2e-2,
     [](Config& c) {
       c.algorithm.loss.beta = 0.01;
       c.algorithm.loss.kl_estimator = KlEstimator::kK1;
       c.algorithm.loss.use_kl_in_reward = true;
     }},
    {"remax", "remax"},
    {"process_supervision", "grpo", 2e-2,
     [](Config& c) {
       c.algorithm.advantage.advantage_estimator = "process_supervision";
       c.reward.push_back({.name = "even_steps", .function = {}, .weight = 0.0, .options = {}});
     }},
    {"ppo", "ppo", 2e-2, [](Config& c) { c.algorithm.ppo.optim.learning_rate = 1e-2; }},
    {"ppo_shared", "ppo", 2e-2,
     [](Config& c) {
       c.algorithm.ppo.share_backbone = true;
       c.algorithm.ppo.optim.learning_rate = 1e-2;
     }},
    {"prime", "prime", 2e-2,
     [](Config& c) {
       c.algorithm.prime.outcome_reward = "mostly_even";
       c.algorithm.prime.optim.learning_rate = 1e-3;
     }},
    {"online_dpo", "online_dpo"},
    {"expert_iteration", "expert_iteration", 2e-2, [](Config& c) { c.algorithm.expert_iteration.reward_threshold = 0.6; }},
};

Registry parts() {
  Registry r = registry();
  r.add_reward("mostly_even", [](const Completion& c) {
    int64_t even = 0;
    for (const int32_t id : c.ids) even += id % 2 == 0 ? 1 : 0;
    return 2 * even > static_cast<int64_t>(c.ids.size()) ? 1.0 : 0.0;
  });
  return r;
}

Config config_of(const Row& row, const std::string& run) {
  Config c = tiny_config(std::string(row.name) + "-" + run);
  c.algorithm.objective = row.type;
  c.reward = {{.name = "even", .function = {}, .weight = 1.0, .options = {}},
              {.name = "mostly_even", .function = {}, .weight = row.type == "prime" ? 1.0 : 0.0, .options = {}}};
  row.change(c);
  return c;
}

class Objectives : public ::testing::TestWithParam<Row> {};

/// Everything in a checkpoint but what a clock decides: seconds of training, and the date and hashes of checkpoint.json.
std::map<std::string, std::string> contents(const fs::path& checkpoint) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(checkpoint)) {
    const std::string name = entry.path().filename();
    if (name != "trainer_state.json" && name != "checkpoint.json") files[name] = testing::read_text(entry.path());
  }
  return files;
}

TEST_P(Objectives, ResumesBitForBit) {
  Config c = config_of(GetParam(), "resume");
  c.trainer.save_steps = 2;
  {
    PolicyTrainer trainer(c, {}, parts());
    const auto before = weights(trainer.model());
    ASSERT_TRUE(trainer.train());
    EXPECT_FALSE(equal(before, weights(trainer.model())));
  }
  const fs::path last = fs::path(c.trainer.output_dir) / "checkpoint-4";
  const auto expected = contents(last);
  const auto expected_lines = metric_lines(c);
  fs::remove_all(last);
  PolicyTrainer again(c, {}, parts());
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(again.steps_done(), 2);
  ASSERT_TRUE(again.train());
  const auto got = contents(last);
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, bytes] : expected) EXPECT_TRUE(got.at(name) == bytes) << name;
  EXPECT_EQ(metric_lines(c), expected_lines);
}

TEST_P(Objectives, MakesWhatIsRewardedMoreLikely) {
  Config c = config_of(GetParam(), "learns");
  c.optim.learning_rate = GetParam().learning_rate;
  c.optim.lr_scheduler_type = "constant";
  c.trainer.max_steps = 50;
  PolicyTrainer trainer(c, {}, parts());
  double first = 0.0, last = 0.0;
  while (const auto report = trainer.step()) {
    const double even = report->metrics.at("rewards/even/mean") / 4.0;
    if (report->step <= 4) first += even;
    if (report->step > 46) last += even;
  }
  EXPECT_GT(last, first + 0.15) << "first " << first;
}

TEST_P(Objectives, TrainsOnPartialRollouts) {
  Config c = config_of(GetParam(), "partial");
  testing::pause_samples(c, 4);
  c.trainer.max_steps = 6;
  PolicyTrainer trainer(c, {}, parts());
  double waiting = 0.0, oldest = 0.0;
  while (const auto report = trainer.step()) {
    waiting += report->metrics.at("rollout/waiting");
    const auto age = report->metrics.find("rollout/staleness_max");  // where there was something to learn
    if (age != report->metrics.end()) oldest = std::max(oldest, age->second);
  }
  EXPECT_GT(waiting, 0.0);
  EXPECT_GT(oldest, 0.0);
}

INSTANTIATE_TEST_SUITE_P(All, Objectives, ::testing::ValuesIn(kRows), [](const auto& row) { return std::string(row.param.name); });

TEST(Ppo, TheCriticLearnsWhileThePolicyWaits) {
  Config c = config_of({"ppo", "ppo"}, "warm-up");
  c.algorithm.ppo.value_warmup_steps = 3;
  c.algorithm.ppo.optim.learning_rate = 1e-2;
  c.algorithm.ppo.gae.cliprange_value = std::nullopt;
  PolicyTrainer trainer(c, {}, parts());
  const auto before = weights(trainer.model());
  double first = 0.0;
  for (int step = 1; step <= 3; ++step) {
    const auto report = trainer.step();
    EXPECT_FALSE(report->metrics.contains("grad_norm"));
    if (step == 1) first = report->metrics.at("value/loss");
    if (step == 3) {
      EXPECT_LT(report->metrics.at("value/loss"), first);
    }
  }
  EXPECT_TRUE(equal(before, weights(trainer.model())));
  EXPECT_TRUE(trainer.step()->metrics.contains("grad_norm"));
  EXPECT_FALSE(equal(before, weights(trainer.model())));
}

// alpha 1 copies: right after a refresh the KL to the reference is none; without a refresh it is some.
TEST(Reference, IsRefreshedWhenItIsDue) {
  Config c = tiny_config("refresh");
  c.algorithm.loss.beta = 0.05;
  c.algorithm.sync_ref_model = true;
  c.algorithm.ref_model_sync_steps = 2;
  c.algorithm.ref_model_mixup_alpha = 1.0;
  c.optim.learning_rate = 1e-2;
  c.optim.lr_scheduler_type = "constant";
  PolicyTrainer trainer(c, {}, registry());
  EXPECT_EQ(trainer.step()->metrics.at("kl"), 0.0);
  EXPECT_GT(trainer.step()->metrics.at("kl"), 0.0);
  EXPECT_EQ(trainer.step()->metrics.at("kl"), 0.0);
}

TEST(Reference, NeedsAKlAndNoLora) {
  Config c = tiny_config("refresh-invalid");
  c.algorithm.sync_ref_model = true;
  EXPECT_THROW(validate(c, Command::kTrain), Error);
  c.algorithm.loss.beta = 0.1;
  EXPECT_NO_THROW(validate(c, Command::kTrain));
}

TEST(ExpertIteration, NothingGoodEnoughIsNothingLearnt) {
  Config c = config_of({"expert_iteration", "expert_iteration"}, "none");
  c.algorithm.expert_iteration.reward_threshold = 2.0;
  PolicyTrainer trainer(c, {}, parts());
  const auto before = weights(trainer.model());
  const auto report = trainer.step();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->metrics.at("expert_iteration/kept"), 0.0);
  EXPECT_TRUE(equal(before, weights(trainer.model())));
}

/// Sums whose chosen answer is well formed and whose rejected one is not.
std::vector<Problem> preferences(int count) {
  std::vector<Problem> problems;
  for (int i = 0; i < count; ++i) {
    Problem problem;
    problem.index = i;
    problem.question = std::to_string(i) + "+1";
    problem.fields = {{"chosen", "<answer>" + std::to_string(i + 1)}, {"rejected", std::to_string(i) + "no"}};
    problems.push_back(std::move(problem));
  }
  return problems;
}

TrainerParts given(std::vector<Problem> problems) {
  TrainerParts parts;
  parts.dataset = std::move(problems);
  return parts;
}

class Preferences : public ::testing::TestWithParam<Command> {};

TEST_P(Preferences, LearnsTheOrderAndResumesBitForBit) {
  Config c = tiny_config(GetParam() == Command::kDpo ? "dpo" : "reward-model");
  c.reward.clear();
  c.data.train = {.path = "given.jsonl", .fields = {}, .task = {}, .options = {}};
  c.optim.learning_rate = 1e-2;
  c.trainer.batch_size = 8;
  c.trainer.max_steps = 12;
  c.trainer.save_steps = 6;
  const auto make = [&] { return PreferenceTrainer(c, given(preferences(24)), registry(), GetParam()); };
  {
    auto trainer = make();
    EXPECT_NEAR(trainer.step()->metrics.at("loss"), std::log(2.0), 1e-6);  // nothing is known yet: the margin is 0
  }
  {
    auto trainer = make();
    ASSERT_TRUE(trainer.train());
  }
  const fs::path run = c.trainer.output_dir;
  const auto expected = contents(run / "checkpoint-12");
  const auto lines = metric_lines(c);
  EXPECT_LT(lines.back().at("loss").get<double>(), 0.5);
  EXPECT_EQ(lines.back().at("rewards/accuracies"), 1.0);
  fs::remove_all(run / "checkpoint-12");
  auto again = make();
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(again.steps_done(), 6);
  ASSERT_TRUE(again.train());
  EXPECT_EQ(metric_lines(c), lines);
  const auto got = contents(run / "checkpoint-12");
  for (const auto& [name, bytes] : expected) EXPECT_TRUE(got.at(name) == bytes) << name;
}
INSTANTIATE_TEST_SUITE_P(Both, Preferences, ::testing::Values(Command::kDpo, Command::kRewardModel));

TEST(RewardModel, ServesAsAReward) {
  Config c = tiny_config("reward-model-served");
  c.reward.clear();
  c.data.train = {.path = "given.jsonl", .fields = {}, .task = {}, .options = {}};
  c.optim.learning_rate = 1e-2;
  c.trainer.batch_size = 8;
  c.trainer.max_steps = 12;
  const auto problems = preferences(24);
  PreferenceTrainer trainer(c, given(problems), registry(), Command::kRewardModel);
  ASSERT_TRUE(trainer.train());
  const fs::path folder = fs::path(c.trainer.output_dir) / "model";
  EXPECT_EQ(testing::read_json(folder / "config.json").at("architectures").at(0), "LlamaForSequenceClassification");
  const auto judge = registry().rewards.make("reward_model", {{"path", "\"" + folder.string() + "\""}});
  const Policy policy = load_policy(c.model, 0);
  std::vector<Completion> completions;
  for (const auto& problem : problems) {
    for (const char* field : {"chosen", "rejected"}) {
      completions.push_back(
          {.problem = &problem, .prompt = policy.encode_prompt(problem, c.data.prompt).text, .text = problem.fields.at(field), .ids = {}});
    }
  }
  std::vector<Score> scores(completions.size());
  RewardContext context;
  judge->score(completions, scores, context);
  for (size_t i = 0; i < scores.size(); i += 2) EXPECT_GT(scores[i].value, scores[i + 1].value) << i;
  EXPECT_THROW(registry().rewards.make("reward_model"), Error);
}

}  // namespace
}  // namespace grpo
