// Rewards in processes of their own: the same verdicts, and what hangs, crashes or ends costs what on_error says and no more.
#include "reward/isolated.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/reward/config.h"
#include "reward/batch_wire.h"
#include "reward/judge.h"
#include "sandbox/wire.h"
#include "support/errors.h"

namespace grpo {
namespace {

/// Does what the text says, and counts its calls and itself.
class Obedient final : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) override {
    ++calls_;
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::string& text = batch[i].text;
      if (text == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
      if (text == "crash") ::signal(SIGSEGV, SIG_DFL), ::raise(SIGSEGV);  // a sanitizer would take it for a fault of its own
      if (text == "exit") ::_exit(7);
      if (text == "throw") throw std::runtime_error("cannot read this");
      if (text == "infinity") scores[i] = std::numeric_limits<double>::infinity();
      if (text == "none") scores[i] = Score::undefined("no opinion");
      if (text == "calls") scores[i] = static_cast<double>(calls_);
      if (text == "process") scores[i] = static_cast<double>(::getpid());
      if (text == "steps") {
        scores[i] = {1.0, "two steps"};
        scores[i].steps = {{2, 0.5}, {5, -1.0}};
      }
      if (text == "bad steps") scores[i].steps = {{2000, 0.5}};
      context.log_metric("length", static_cast<double>(text.size()));
    }
  }

 private:
  int calls_ = 0;
};

RewardRegistry registry() {
  RewardRegistry registry;
  registry.add<Obedient>("obedient");
  registry.add("sum", [](const Completion& c, RewardContext& context) -> Score {
    context.log_metric("step", static_cast<double>(context.step));
    return {std::atof(c.problem->answer.c_str()) + std::atof(c.problem->fields.at("more").c_str()) + static_cast<double>(c.ids.at(1)),
            c.prompt};
  });
  return registry;
}

struct Scoring {
  explicit Scoring(RewardFunction function) : set(make_rewards({std::move(function)}, registry())) {}

  std::vector<Score> score(const std::vector<std::string>& texts, ThreadPool* pool = nullptr) {
    std::vector<Completion> batch;
    for (const std::string& text : texts) batch.push_back(testing::completion(problem, text));
    std::vector<Score> scores;
    for (Verdict& verdict : score_all(set, batch, context, pool)) scores.push_back(std::move(verdict.scores[0]));
    return scores;
  }

  Problem problem = testing::problem_with_answer("7");
  RewardContext context;
  RewardSet set;
};

RewardFunction obedient(bool isolate, double timeout = 0.0, OnRewardError on_error = OnRewardError::kUndefined) {
  return {
      .name = "mine", .function = "obedient", .weight = 1.0, .timeout = timeout, .isolate = isolate, .on_error = on_error, .options = {}};
}

std::string in_words(const Score& score) {
  std::string words = score.defined() ? std::to_string(score.value) : "none: " + score.reason;
  words += " " + score.kind + " " + score.gold + " " + score.given;
  for (const StepScore& step : score.steps) words += " " + std::to_string(step.end) + "=" + std::to_string(step.value);
  return words;
}

// Oracle: the same function in this process.
TEST(Isolated, GivesTheVerdictsThatItWouldGiveHere) {
  ThreadPool pool(2);
  for (const double timeout : {0.0, 100.0}) {
    for (ThreadPool* given : {static_cast<ThreadPool*>(nullptr), &pool}) {
      Scoring here(obedient(false, timeout)), there(obedient(true, timeout));
      for (const std::vector<std::string>& texts : std::vector<std::vector<std::string>>{
               {"a", "none"}, {"steps", "calls"}, {"infinity", "b"}, {"bad steps", "c"}, {"throw", "d", "calls"}, {"calls"}}) {
        const auto expected = here.score(texts, given), got = there.score(texts, given);
        ASSERT_EQ(got.size(), expected.size());
        for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(in_words(got[i]), in_words(expected[i])) << texts[i];
        EXPECT_EQ(there.context.metrics, here.context.metrics);
      }
    }
  }
}

TEST(Isolated, SeesTheWholeCompletionItsProblemAndTheContext) {
  RewardFunction function{
      .name = "mine", .function = "sum", .weight = 1.0, .timeout = 0.0, .isolate = true, .on_error = OnRewardError::kStop, .options = {}};
  RewardSet set = make_rewards({function}, registry());
  Problem problem = testing::problem_with_answer("7");
  problem.fields["more"] = "20";
  std::vector<Completion> batch(2, testing::completion(problem, "x"));
  batch[0].ids = {1, 300};
  batch[1].ids = {1, -300};
  batch[1].prompt = "the prompt";
  RewardContext context;
  context.step = 12;
  const auto verdicts = score_all(set, batch, context);
  EXPECT_EQ(verdicts[0].scores[0].value, 327.0);
  EXPECT_EQ(verdicts[1].scores[0].value, -273.0);
  EXPECT_EQ(verdicts[1].scores[0].reason, "the prompt");
  EXPECT_EQ(context.metrics.at("step"), std::pair(24.0, int64_t{2}));
}

TEST(Isolated, TellsWhichProblemsItCannotRead) {
  const auto set = make_rewards({{.name = "accuracy",
                                  .function = "",
                                  .weight = 1.0,
                                  .timeout = 0.0,
                                  .isolate = true,
                                  .on_error = OnRewardError::kStop,
                                  .options = {}}},
                                builtin_rewards());
  EXPECT_EQ(set.rewards[0]->unreadable(testing::problem_with_answer("7")), "");
  EXPECT_EQ(set.rewards[0]->unreadable(testing::problem_with_answer("")), "the problem has no answer");
}

TEST(Isolated, RunsInOneProcessThatRemembers) {
  Scoring scoring(obedient(true));
  const double process = scoring.score({"process"})[0].value;
  EXPECT_NE(process, static_cast<double>(::getpid()));
  EXPECT_EQ(scoring.score({"process"})[0].value, process);
  EXPECT_EQ(scoring.score({"calls"})[0].value, 3.0);
}

TEST(Isolated, AProcessThatEndsIsAFaultOfItsSampleAndAnotherOneIsStarted) {
  const std::vector<std::tuple<std::string, std::string>> table{{"crash", "signal 11 (Segmentation fault)"}, {"exit", "exit status 7"}};
  for (const auto& [text, why] : table) {
    for (const double timeout : {0.0, 100.0}) {
      Scoring kept(obedient(true, timeout)), stopped(obedient(true, timeout, OnRewardError::kStop));
      const double process = kept.score({"process"})[0].value;
      const auto scores = kept.score({"a", text, "calls"});
      EXPECT_TRUE(scores[0].defined());
      EXPECT_FALSE(scores[1].defined());
      EXPECT_NE(scores[1].reason.find("its process ended with " + why), std::string::npos) << scores[1].reason;
      EXPECT_EQ(scores[2].value, 1.0) << "the new one's first call";
      EXPECT_NE(kept.score({"process"})[0].value, process);
      const std::string message = testing::message_of([&, what = text] { stopped.score({"a", what}); });
      EXPECT_NE(message.find("[reward mine] expected a score; got"), std::string::npos) << message;
      EXPECT_NE(message.find(why), std::string::npos) << message;
      EXPECT_NE(message.find("on the sample '" + text + "'"), std::string::npos) << message;
    }
  }
}

TEST(Isolated, AnOverrunIsKilledAndAnotherOneIsStarted) {
  ThreadPool pool(2);
  for (ThreadPool* given : {static_cast<ThreadPool*>(nullptr), &pool}) {
    Scoring kept(obedient(true, 1.0)), stopped(obedient(true, 1.0, OnRewardError::kStop));
    const auto process = static_cast<pid_t>(kept.score({"process"}, given)[0].value);
    {
      const auto scores = kept.score({"a", "hang"}, given);
      for (const Score& score : scores)
        EXPECT_NE(score.reason.find("within 1 s; the function has not come back, and its process was killed"), std::string::npos)
            << score.reason;
      EXPECT_EQ(::kill(process, 0), -1) << "gone, not left behind";
      EXPECT_EQ(kept.score({"calls"}, given)[0].value, 1.0);
    }
    const std::string message = testing::message_of([&] { stopped.score({"hang"}, given); });
    EXPECT_NE(message.find("[reward mine] expected verdicts within 1 s"), std::string::npos) << message;
    EXPECT_EQ(stopped.score({"calls"}, given)[0].value, 1.0);
  }
}

class IsolatedSignal : public ::testing::Test {
  void TearDown() override { const InterruptGuard guard; }
};

TEST_F(IsolatedSignal, AStopLeavesTheProcessAloneButEndsTheWaitForAHangingOne) {
  const InterruptGuard guard;
  ThreadPool pool(2);
  Scoring scoring(obedient(true));
  const auto process = static_cast<pid_t>(scoring.score({"process"}, &pool)[0].value);
  EXPECT_NE(::getsid(process), ::getsid(0)) << "no terminal's signals";
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::kill(process, signal);
  EXPECT_EQ(scoring.score({"calls"}, &pool)[0].value, 2.0);
  ::raise(SIGTERM);
  const std::string message = testing::message_of([&] { scoring.score({"hang"}, &pool); });
  EXPECT_NE(message.find("[reward mine] expected verdicts; got a signal to stop"), std::string::npos) << message;
  EXPECT_EQ(::kill(process, 0), -1);
}

TEST(Isolated, WhatIsMadeThereThrowsHere) {
  RewardFunction unknown = obedient(true);
  unknown.function = "obedeint";
  std::string message = testing::message_of([&] { make_rewards({unknown}, registry()); });
  EXPECT_NE(message.find("did you mean"), std::string::npos) << message;
  RewardFunction wrong = obedient(true);
  wrong.options = {{"no_such_option", "1"}};
  try {
    make_rewards({wrong}, registry());
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find("no_such_option"), std::string::npos) << error.what();
  }
  EXPECT_THROW(IsolatedReward([]() -> std::unique_ptr<Reward> { ::_exit(3); }), Error);
}

TEST(Isolated, LeavesNoProcessAndNoDescriptor) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = count();
  pid_t process = 0;
  {
    Scoring scoring(obedient(true, 1.0));
    const auto with_one = count();
    for (const std::string text : {"a", "crash", "hang", "exit", "throw", "a"}) {
      scoring.score({text});
      scoring.score({"a"});
      EXPECT_EQ(count(), with_one) << text;
    }
    process = static_cast<pid_t>(scoring.score({"process"})[0].value);
  }
  EXPECT_EQ(count(), before);
  EXPECT_EQ(::kill(process, 0), -1);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Isolated, ItsRewardIsDestroyedThere) {
  const std::string path = ::testing::TempDir() + "destroyed-" + std::to_string(::getpid());
  struct Last final : public Reward {
    explicit Last(std::string where) : path(std::move(where)) {}
    ~Last() override { std::filesystem::create_directory(path); }
    void score(std::span<const Completion>, std::span<Score>, RewardContext&) override {}
    std::string path;
  };
  {
    const IsolatedReward reward([&path] { return std::make_unique<Last>(path); });
  }
  EXPECT_TRUE(std::filesystem::remove(path));
}

TEST(BatchWire, GivesBackEveryMember) {
  Problem one, other;
  one.index = 3;
  one.question = "q\0\xff";
  one.messages = {{"user", "hello", "{}"}, {"assistant", "", ""}};
  one.answer = "a";
  one.solution = "s";
  one.fields = {{"x", "1"}, {"y", ""}};
  one.json_fields = {"x"};
  one.tools = "[]";
  one.chat_template_kwargs = "{\"k\": 1}";
  one.further_answers = {"b", "c"};
  std::vector<Completion> batch{testing::completion(other, "t0"), testing::completion(one, "t1"), testing::completion(other, "t2")};
  batch[1].prompt = "p";
  batch[1].ids = {5, -1, 2147483647};
  batch[1].finish = FinishReason::kLength;
  batch[1].sample = 4;
  RewardContext context;
  context.step = 9;
  context.max_completion_length = 77;
  context.deadline = std::chrono::steady_clock::now();
  const std::string bytes = batch_bytes(batch, context);
  const BatchMessage read = read_batch(bytes);
  EXPECT_EQ(read.context.step, 9);
  EXPECT_EQ(read.context.max_completion_length, 77);
  EXPECT_EQ(read.context.deadline, context.deadline);
  ASSERT_EQ(read.completions.size(), 3U);
  EXPECT_EQ(read.problems.size(), 2U) << "each once";
  EXPECT_EQ(read.completions[0].problem, read.completions[2].problem);
  const Completion& c = read.completions[1];
  EXPECT_EQ(std::tie(c.prompt, c.text, c.ids, c.finish, c.sample),
            std::tie(batch[1].prompt, batch[1].text, batch[1].ids, batch[1].finish, batch[1].sample));
  const Problem& p = *c.problem;
  EXPECT_EQ(std::tie(p.index, p.question, p.messages, p.answer, p.solution, p.fields, p.json_fields, p.tools, p.chat_template_kwargs,
                     p.further_answers),
            std::tie(one.index, one.question, one.messages, one.answer, one.solution, one.fields, one.json_fields, one.tools,
                     one.chat_template_kwargs, one.further_answers));
  for (size_t size = 0; size < bytes.size(); size += 7) EXPECT_THROW(read_batch(bytes.substr(0, size)), Error) << size;
  EXPECT_THROW(read_batch(bytes + "x"), Error);
}

TEST(BatchWire, VerdictsAreThoseOfTheBatch) {
  std::vector<Score> given{{1.5, "why"}, Score::undefined()}, read(2), three(3);
  given[0].steps = {{1, 0.5}};
  given[0].kind = kRight;
  given[0].gold = "1/2";
  given[0].given = "0.5";
  RewardContext from, into;
  from.log_metric("m", 2.0);
  const std::string bytes = verdict_bytes(given, from);
  read_verdicts(bytes, read, into);
  EXPECT_EQ(in_words(read[0]), in_words(given[0]));
  EXPECT_FALSE(read[1].defined());
  EXPECT_EQ(into.metrics, from.metrics);
  EXPECT_THROW(read_verdicts(bytes, three, into), Error);
  EXPECT_THROW(read_verdicts("", read, into), Error);
  EXPECT_EQ(testing::message_of([&] { read_verdicts(fault_bytes("it threw", ErrorKind::kFailure), read, into); }), "it threw");
}

}  // namespace
}  // namespace grpo
