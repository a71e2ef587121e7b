#include "grpo/reward/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grpo/core/error.h"
#include "reward/judge.h"

namespace grpo {
namespace {

/// Scores the number in the text; "none" is undefined, "throw" throws, "inf" is infinite.
class NumberReward final : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override {
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].text == "throw") throw std::runtime_error("cannot read");
      scores[i] = batch[i].text == "none" ? Score::undefined() : Score(std::stod(batch[i].text), "read");
      context.log_metric("seen", 1.0);
    }
  }
};

class PickyReward final : public Reward {
 public:
  explicit PickyReward(const RewardOptions& options) : options_(options.size()) {}
  void score(std::span<const Completion>, std::span<Score> scores, RewardContext&) override {
    for (Score& score : scores) score = static_cast<double>(options_);
  }

 private:
  size_t options_;
};

struct Batch {
  explicit Batch(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) completions.push_back(testing::completion(problem, text));
  }
  Problem problem;
  std::vector<Completion> completions;
};

RewardSet two_rewards() {
  RewardSet set;
  set.add("number", std::make_unique<NumberReward>());
  RewardRegistry registry;
  registry.add("short", [](const Completion& given) { return given.text.size() < 3 ? 1.0 : std::nan(""); });
  set.add("short", registry.make("short"), 0.5);
  return set;
}

TEST(ScoreAll, SumsTheDefinedOnesByWeight) {
  const Batch batch({"2", "10", "none", "100"});
  ThreadPool two_threads(2);
  for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), &two_threads}) {
    RewardSet set = two_rewards();
    RewardContext context;
    context.log_metric("seen", 4.0);
    const auto verdicts = score_all(set, batch.completions, context, pool);
    ASSERT_EQ(verdicts.size(), 4U);
    for (const Verdict& verdict : verdicts) ASSERT_EQ(verdict.scores.size(), 2U);
    EXPECT_EQ(verdicts[1].scores[0].value, 10.0);
    EXPECT_FALSE(verdicts[2].scores[0].defined());
    EXPECT_EQ(verdicts[0].scores[0].reason, "read");
    EXPECT_DOUBLE_EQ(verdicts[0].reward, 2.5);
    EXPECT_DOUBLE_EQ(verdicts[1].reward, 10.5);
    EXPECT_TRUE(std::isnan(verdicts[2].reward));  // "none" is longer than two letters: neither has a verdict
    EXPECT_DOUBLE_EQ(verdicts[3].reward, 100.0);
    EXPECT_EQ(context.metrics.at("seen"), (std::pair<double, int64_t>{8.0, 5}));
  }
}

TEST(ScoreAll, FaultsNameTheFunctionAndTheSample) {
  for (const auto& [text, part] : {std::pair{"throw", "cannot read"}, std::pair{"inf", "infinity"}, std::pair{"-inf", "infinity"}}) {
    const Batch batch({"1", text, "3"});
    RewardSet set = two_rewards();
    RewardContext context;
    try {
      score_all(set, batch.completions, context);
      FAIL() << "expected an error";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("[reward number]"), std::string::npos) << message;
      EXPECT_NE(message.find("'" + std::string(text) + "'"), std::string::npos) << message;
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

/// The steps that it is made with, for every sample.
class StepsReward final : public Reward {
 public:
  explicit StepsReward(std::vector<StepScore> steps) : steps_(std::move(steps)) {}
  void score(std::span<const Completion>, std::span<Score> scores, RewardContext&) override {
    for (Score& score : scores) score.steps = steps_;
  }

 private:
  std::vector<StepScore> steps_;
};

TEST(ScoreAll, StepsComeByFunctionAndSample) {
  const Batch batch({"12", "345"});
  RewardSet set = two_rewards();
  set.add("steps", std::make_unique<StepsReward>(std::vector<StepScore>{{1, 0.5}, {2, -1.0}, {2, 3.0}}));
  RewardContext context;
  const auto verdicts = score_all(set, batch.completions, context);
  ASSERT_EQ(verdicts.size(), 2U);
  for (const Verdict& verdict : verdicts) ASSERT_EQ(verdict.scores.size(), 3U);
  EXPECT_TRUE(verdicts[0].scores[0].steps.empty() && verdicts[1].scores[1].steps.empty());
  const auto& steps = verdicts[1].scores[2].steps;
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].end, 1U);
  EXPECT_EQ(steps[2].value, 3.0);
}

TEST(ScoreAll, StepsMustLieInTheText) {
  const Batch batch({"345", "12"});
  for (const auto& steps : std::vector<std::vector<StepScore>>{
           {{3, 1.0}}, {{0, 1.0}}, {{2, 1.0}, {1, 1.0}}, {{1, std::nan("")}}, {{1, std::numeric_limits<double>::infinity()}}}) {
    RewardSet set = two_rewards();
    set.add("judge", std::make_unique<StepsReward>(steps));
    RewardContext context;
    try {
      score_all(set, batch.completions, context);
      FAIL() << "expected an error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("[reward judge] expected"), std::string::npos) << error.what();
    }
  }
}

// A function of weight 0 is only reported: it makes no reward where the others have no verdict.
TEST(ScoreAll, WeightZeroNeverTurnsUndefinedIntoZero) {
  const Batch batch({"none", "2"});
  RewardSet set;
  set.add("number", std::make_unique<NumberReward>());
  RewardRegistry registry;
  registry.add("seen", [](const Completion&) { return 1.0; });
  set.add("seen", registry.make("seen"), 0.0);
  RewardContext context;
  const auto verdicts = score_all(set, batch.completions, context);
  EXPECT_EQ(verdicts[0].scores[1].value, 1.0);
  EXPECT_TRUE(std::isnan(verdicts[0].reward));
  EXPECT_EQ(verdicts[1].reward, 2.0);
}

TEST(JudgingFunction, IsTheNamedOneOrAccuracyOrTheFirst) {
  EXPECT_EQ(judging_function({"format", "accuracy"}), 1U);
  EXPECT_EQ(judging_function({"format", "length"}), 0U);
  EXPECT_EQ(judging_function({"accuracy", "length"}, "length"), 1U);
  EXPECT_THROW(judging_function({"accuracy"}, "acuracy"), Error);
}

TEST(ScoreAll, EmptyBatchesAndSetsAreFine) {
  RewardSet set = two_rewards();
  RewardContext context;
  EXPECT_TRUE(score_all(set, {}, context).empty());
  RewardSet none;
  const Batch batch({"1"});
  EXPECT_TRUE(std::isnan(score_all(none, batch.completions, context)[0].reward));
  EXPECT_THROW(none.add("bad", std::make_unique<NumberReward>(), std::nan("")), Error);
}

TEST(Registry, EveryBuiltinRefusesUnknownOptionsAndScores) {
  const auto registry = builtin_rewards();
  Problem problem = testing::problem_with_answer("3");
  problem.fields = {{"numbers", "[1,2]"}, {"target", "3"}, {"tests", "assert f(1)"}};
  const Completion given = testing::completion(problem, "<think>1+2=3</think><answer>1+2</answer>", 9);
  for (const std::string& name : registry.names()) {
    EXPECT_THROW(registry.make(name, {{"no_such_option", "1"}}), Error) << name;
    RewardSet set;
    const RewardOptions consent{{"allow_code_execution", "true"}, {"sandbox", "\"rlimits\""}};
    set.add(name, registry.make(name, name == "code" ? consent : RewardOptions()));
    RewardContext context;
    context.max_completion_length = 100;
    EXPECT_TRUE(std::isfinite(score_all(set, {&given, 1}, context)[0].reward)) << name;
  }
}

struct Wanted {
  std::string word = "x";
};
void describe(ConfigVisitor& visitor, Wanted& wanted) { visitor.field("word", wanted.word, "what is counted"); }

double is_seven(const Completion& completion) { return completion.text == "7" ? 1.0 : 0.0; }

// Oracle: hand values, "7" being judged.
TEST(Registry, FunctionsTakeOptionsContextAndReason) {
  RewardRegistry registry;
  registry.add("plain", [](const Completion& c) { return c.text == "7"; });
  registry.add("pointer", is_seven);
  registry.add("context", [](const Completion&, RewardContext& context) { return static_cast<double>(context.step); });
  registry.add("options", [](const Completion& c, const Wanted& wanted) { return c.text == wanted.word ? 2.0 : 0.0; });
  registry.add("all", [](const Completion& c, const Wanted& wanted, RewardContext& context) -> Score {
    context.log_metric("seen", 3.0);
    if (c.text != wanted.word) return Score::undefined("not " + wanted.word);
    return {4.0, "it is " + wanted.word};
  });
  registry.add("factory", [](const RewardOptions&) { return std::make_unique<NumberReward>(); });
  const Problem problem;
  const Completion given = testing::completion(problem, "7");
  RewardContext context;
  context.step = 5;
  const auto judged = [&](const std::string& name, const RewardOptions& options = {}) {
    Score score;
    registry.make(name, options)->score({&given, 1}, {&score, 1}, context);
    return score;
  };
  EXPECT_EQ(judged("plain").value, 1.0);
  EXPECT_EQ(judged("pointer").value, 1.0);
  EXPECT_EQ(judged("context").value, 5.0);
  EXPECT_EQ(judged("options").value, 0.0);
  EXPECT_EQ(judged("options", {{"word", "\"7\""}}).value, 2.0);
  EXPECT_EQ(judged("all", {{"word", "\"7\""}}).reason, "it is 7");
  EXPECT_FALSE(judged("all").defined());
  EXPECT_EQ(context.metrics.at("seen"), (std::pair<double, int64_t>(6.0, 2)));
  EXPECT_EQ(judged("factory").value, 7.0);
  EXPECT_THROW(judged("context", {{"word", "1"}}), Error);
  EXPECT_THROW(judged("all", {{"wrod", "\"7\""}}), Error);
}

TEST(Registry, TakesClassesAndFunctions) {
  RewardRegistry registry = builtin_rewards();
  registry.add<NumberReward>("number");
  registry.add<PickyReward>("picky");
  registry.add("constant", [](const Completion&) { return 4.0; });
  EXPECT_THROW(registry.add("format", [](const Completion&) { return 0.0; }), Error);
  EXPECT_THROW(registry.make("number", {{"x", "1"}}), Error);
  EXPECT_THROW(registry.make("constant", {{"x", "1"}}), Error);
  const Problem problem;
  const Completion given = testing::completion(problem, "7");
  RewardContext context;
  for (const auto& [name, options, wanted] :
       {std::tuple{"number", RewardOptions{}, 7.0}, std::tuple{"picky", RewardOptions{{"x", "1"}}, 1.0},
        std::tuple{"constant", RewardOptions{}, 4.0}}) {
    Score score;
    registry.make(name, options)->score({&given, 1}, {&score, 1}, context);
    EXPECT_EQ(score.value, wanted) << name;
  }
  try {
    registry.make("acuracy");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find("did you mean 'accuracy'"), std::string::npos);
  }
}

}  // namespace
}  // namespace grpo
