// Oracles: what was written (files), counts by hand.
#include "grpo/policy/experience.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "grpo/core/error.h"
#include "policy/experience_file.h"
#include "support/parity.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

/// Two groups with every field set, one of them without a verdict.
Experience two_groups() {
  Experience groups(2);
  groups[0] = {
      .item = 7, .key = {.seed = ~uint64_t{0}, .step = 3}, .stream = 7 + (int64_t{1} << 40), .prompt = "1+1 \"", .prompt_ids = {3, 1, 4}};
  groups[0].greedy_reward = 0.1;
  groups[0].samples = {{.ids = {1, 5},
                        .logprobs = {-0.1F, -2.5F},
                        .processed_logprobs = {-0.25F, -1e-30F},
                        .finish = FinishReason::kStopString,
                        .born_at_step = 12,
                        .text = "é\n",
                        .scores = {},
                        .reward = 1.0 / 3}};
  Score score(0.5, "why");
  score.kind = "a kind";
  score.gold = "7";
  score.given = "seven";
  score.steps = {{1, 0.25}, {2, -1.0}};
  groups[0].samples[0].scores = {score, Score::undefined()};
  groups[1].item = 1;
  groups[1].samples = {{.ids = {9}, .finish = FinishReason::kPaused, .text = {}, .scores = {}},
                       {.ids = {9, 8, 7}, .text = {}, .scores = {}}};
  return groups;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

TEST(Experience, AFileHoldsEveryField) {
  const fs::path file = fs::path(::testing::TempDir()) / "experience.json";
  const Experience written = two_groups();
  write_experience(file, written);
  const Experience read = read_experience(file);
  ASSERT_EQ(read.size(), written.size());
  for (size_t g = 0; g < read.size(); ++g) {
    const Group &a = read[g], &b = written[g];
    EXPECT_EQ(std::tie(a.item, a.key.seed, a.key.step, a.stream, a.prompt, a.prompt_ids),
              std::tie(b.item, b.key.seed, b.key.step, b.stream, b.prompt, b.prompt_ids));
    EXPECT_TRUE(same(a.greedy_reward, b.greedy_reward));
    ASSERT_EQ(a.samples.size(), b.samples.size());
    for (size_t i = 0; i < a.samples.size(); ++i) {
      const Sample &x = a.samples[i], &y = b.samples[i];
      EXPECT_EQ(std::tie(x.ids, x.logprobs, x.processed_logprobs, x.finish, x.born_at_step, x.text),
                std::tie(y.ids, y.logprobs, y.processed_logprobs, y.finish, y.born_at_step, y.text));
      EXPECT_TRUE(same(x.reward, y.reward));
      ASSERT_EQ(x.scores.size(), y.scores.size());
      for (size_t f = 0; f < x.scores.size(); ++f) {
        EXPECT_TRUE(same(x.scores[f].value, y.scores[f].value));
        EXPECT_EQ(std::tie(x.scores[f].reason, x.scores[f].kind, x.scores[f].gold, x.scores[f].given),
                  std::tie(y.scores[f].reason, y.scores[f].kind, y.scores[f].gold, y.scores[f].given));
        ASSERT_EQ(x.scores[f].steps.size(), y.scores[f].steps.size());
      }
    }
  }
  EXPECT_EQ(read[0].samples[0].scores[0].steps[1].end, 2U);
  EXPECT_EQ(read[0].samples[0].scores[0].steps[1].value, -1.0);
}

// Oracle: a whole file read before. Every beginning of a file is refused with its name.
TEST(Experience, ATruncatedFileIsRefused) {
  const fs::path file = fs::path(::testing::TempDir()) / "experience-cut.json";
  write_experience(file, two_groups());
  const std::string text = testing::read_text(file);
  for (size_t size = 0; size < text.size(); size += 7) {
    std::ofstream(file, std::ios::binary) << text.substr(0, size);
    try {
      read_experience(file);
      ADD_FAILURE() << "expected an error for " << size << " bytes";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("experience-cut.json"), std::string::npos) << error.what();
    }
  }
}

TEST(Experience, PacksGroupAfterGroup) {
  Experience groups = two_groups();
  groups[1].prompt_ids = {2};
  for (Group& group : groups) {
    for (Sample& sample : group.samples) sample.logprobs.assign(sample.ids.size(), -1.0F);
  }
  EXPECT_EQ(count_samples(groups), 3);
  EXPECT_EQ(count_tokens(groups), 6.0);
  EXPECT_EQ(groups_of(groups), (std::vector<int64_t>{0, 1, 1}));
  const Batch batch = make_batch(groups, {}, {.mask_truncated_completions = true});
  EXPECT_EQ(batch.groups, (std::vector<int64_t>{0, 1, 1}));
  EXPECT_EQ(batch.born_at_step, (std::vector<int64_t>{12, 0, 0}));
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{1, 5, 9, 9, 8, 7}));
  EXPECT_EQ(batch.mask.sum().item<double>(), 2.0);  // the others were cut off
  EXPECT_TRUE(batch.sampling_logprobs.defined());
}

}  // namespace
}  // namespace grpo
