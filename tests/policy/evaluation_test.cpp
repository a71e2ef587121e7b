// Evaluation in blocks, cut short and gone on with. Oracles: the evaluation in one go, bit for bit; the figures of fewer problems.
#include "grpo/policy/evaluation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/policy/config.h"
#include "grpo/reward/registry.h"

namespace grpo {
namespace {

/// A model of random weights on seven problems, two of which are one problem.
class InBlocks : public ::testing::Test {
 protected:
  struct Result {
    Metrics figures;
    std::vector<std::pair<std::string, KindCounts>> verdicts;
    std::vector<std::string> lines;
  };

  InBlocks() : engine_(*policy_.model) {
    for (int64_t i = 0; i < 7; ++i) {
      Problem& problem = problems_.emplace_back();
      problem.index = i == 5 ? 1 : i;
      problem.question = "q" + std::to_string(problem.index);
      problem.answer = std::to_string(i);
    }
    problems_[3].further_answers = {"three"};
    RewardRegistry registry;
    registry.add(
        "even", [](const Completion& c) { return Score(c.ids.front() % 2 == 0 ? 1.0 : 0.1, "", c.ids.front() % 2 == 0 ? kRight : "odd"); });
    registry.add("some", [](const Completion& c) { return c.ids.size() < 3 ? std::nan("") : 1.0 / static_cast<double>(c.ids[1]); });
    for (const char* name : {"even", "some"}) rewards_.add(name, registry.make(name));
  }

  EvaluationOptions options(int64_t block_samples, Result& result) {
    EvaluationOptions options;
    options.sampling.num_generations = 3;
    options.sampling.max_completion_length = 12;
    options.sampling.stop = {"a", "e", "i", "o", "u", "A", "E", "I", "O", "U", "1", "2", "3", "4", "5", "6", "7", "8", "9", "0"};
    options.prompt.prompt_template = "plain";
    options.block_samples = block_samples;
    options.on_sample = [&result](const std::string& line) { result.lines.push_back(line); };
    return options;
  }
  Result evaluated(int64_t block_samples, const std::vector<Problem>& problems) {
    Result result;
    Evaluation evaluation(policy_, engine_, problems, rewards_, options(block_samples, result));
    while (evaluation.next()) {
    }
    result.figures = evaluation.figures();
    result.verdicts = evaluation.verdicts();
    return result;
  }
  Result evaluated(int64_t block_samples) { return evaluated(block_samples, problems_); }

  const Policy policy_ = load_policy(
      {.path = {},
       .tokenizer = {},
       .new_model = {.hidden_size = 16, .intermediate_size = 32, .num_hidden_layers = 1, .num_attention_heads = 2, .extra_tokens = {}}},
      4);
  RolloutEngine engine_;
  std::vector<Problem> problems_;
  RewardSet rewards_;
};

TEST_F(InBlocks, FiguresAndSamplesAreThoseOfOneGo) {
  const Result whole = evaluated(1000);
  ASSERT_EQ(whole.lines.size(), 21U);
  EXPECT_EQ(whole.figures.at("samples"), 21.0);
  EXPECT_GT(whole.figures.at("mean_length"), 1.0);
  EXPECT_LT(whole.figures.at("mean_length"), 12.0);
  const auto line = [&](size_t i) { return nlohmann::json::parse(whole.lines[i]); };
  EXPECT_NE(line(3).at("completion").get<std::string>() + line(4).at("completion").get<std::string>(),
            line(15).at("completion").get<std::string>() + line(16).at("completion").get<std::string>());  // the problem that comes again
  EXPECT_EQ(line(9).at("answer"), (std::vector<std::string>{"3", "three"}));
  EXPECT_EQ(line(0).at("answer"), "0");
  ASSERT_EQ(whole.verdicts.size(), 2U);
  EXPECT_EQ(whole.verdicts[0].second.front().second + whole.verdicts[0].second.back().second, 21);
  EXPECT_TRUE(line(0).at("verdicts").at("even") == "odd" || line(0).at("verdicts").at("even") == "right");
  for (const int64_t block : {1, 3, 4, 18}) {
    const Result result = evaluated(block);
    EXPECT_EQ(result.figures, whole.figures) << block;
    EXPECT_EQ(result.verdicts, whole.verdicts) << block;
    EXPECT_EQ(result.lines, whole.lines) << block;
  }
}

// Oracle: the samples' lines.
TEST_F(InBlocks, ShowsWhatLooksRightAndWasRejected) {
  RewardRegistry registry;
  registry.add("judge", [](const Completion& c) {
    Score score(0.0, "because", c.ids.size() % 2 == 0 ? "odd" : kRight);
    score.gold = "(1, 2)";
    score.given = "1, 2";
    return score;
  });
  rewards_ = {};
  rewards_.add("judge", registry.make("judge"));
  Result result;
  Evaluation evaluation(policy_, engine_, problems_, rewards_, options(6, result));
  while (evaluation.next()) {
  }
  int64_t rejected = 0;
  for (const std::string& line : result.lines) rejected += nlohmann::json::parse(line).at("verdicts").at("judge") == "odd" ? 1 : 0;
  ASSERT_EQ(evaluation.near_misses().size(), 1U);
  EXPECT_EQ(evaluation.near_misses()[0].count, rejected);
  EXPECT_EQ(evaluation.near_misses()[0].given, "1, 2");
}

TEST_F(InBlocks, GoesOnBehindTheLastProblemThatHasAllItsSamples) {
  const Result whole = evaluated(1000);
  for (const size_t there : {0, 2, 3, 11, 15, 21}) {
    Result rest;
    Evaluation evaluation(policy_, engine_, problems_, rewards_, options(6, rest));
    const std::vector<std::string> earlier(whole.lines.begin(), whole.lines.begin() + static_cast<std::ptrdiff_t>(there));
    const size_t taken = evaluation.take_earlier(earlier, "file");
    EXPECT_EQ(taken, there / 3 * 3);
    EXPECT_EQ(evaluation.problems_finished(), static_cast<int64_t>(there / 3));
    while (evaluation.next()) {
    }
    EXPECT_EQ(evaluation.figures(), whole.figures) << there;
    EXPECT_EQ(evaluation.verdicts(), whole.verdicts) << there;
    EXPECT_EQ(rest.lines, std::vector<std::string>(whole.lines.begin() + static_cast<std::ptrdiff_t>(taken), whole.lines.end())) << there;
  }
}

TEST_F(InBlocks, WhatIsFinishedCountsWhereTheRestIsCutShort) {
  Result result;
  EvaluationOptions given = options(6, result);
  given.context.interrupted = [&result] { return result.lines.size() >= 12; };  // within the third block
  Evaluation evaluation(policy_, engine_, problems_, rewards_, given);
  EXPECT_TRUE(std::isnan(evaluation.figures().at("pass@1")));
  EXPECT_TRUE(evaluation.next());
  EXPECT_TRUE(evaluation.next());
  EXPECT_THROW(evaluation.next(), Error);
  EXPECT_EQ(evaluation.problems_finished(), 4);
  EXPECT_EQ(result.lines.size(), 12U);
  EXPECT_EQ(evaluation.figures(), evaluated(1000, {problems_.begin(), problems_.begin() + 4}).figures);
}

TEST_F(InBlocks, LinesThatAreNoSuchSamplesAreNamed) {
  const Result whole = evaluated(1000);
  const auto message_of = [&](const std::vector<std::string>& lines) -> std::string {
    Result rest;
    Evaluation evaluation(policy_, engine_, problems_, rewards_, options(6, rest));
    try {
      evaluation.take_earlier(lines, "s.jsonl");
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const auto changed = [&](size_t place, const std::string& line) {
    auto lines = whole.lines;
    lines[place] = line;
    return message_of(lines);
  };
  const auto has = [](const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(has(changed(4, "{\"problem\": 1"), "s.jsonl:5: expected the line of a sample")) << changed(4, "{\"problem\": 1");
  EXPECT_TRUE(has(changed(4, "[]"), "s.jsonl:5: expected the line of a sample"));
  EXPECT_TRUE(has(changed(4, whole.lines[7]), "expected sample 1 of problem 1; got sample 1 of problem 2")) << changed(4, whole.lines[7]);
  auto longer = whole.lines;
  longer.push_back(longer.back());
  EXPECT_TRUE(has(message_of(longer), "s.jsonl: expected at most 21 samples; got 22"));
}

}  // namespace
}  // namespace grpo
