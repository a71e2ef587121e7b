#include <gtest/gtest.h>

#include "reward/judge.h"

namespace grpo {
namespace {

double format(const std::string& text, const RewardOptions& options = {}) {
  return testing::judge("format", Problem{}, text, options).value;
}
double tag_count(const std::string& text, const RewardOptions& options = {}) {
  return testing::judge("tag_count", Problem{}, text, options).value;
}

TEST(Format, WantsTheWholeForm) {
  for (const char* text :
       {"<think>a</think><answer>b</answer>", "<think>a\nb</think>\n\n<answer>\nc\n</answer>", " <think>a</think> <answer>b</answer>\n"}) {
    EXPECT_EQ(format(text), 1.0) << text;
  }
  for (const char* text :
       {"", "a", "<think>a</think>", "<answer>b</answer>", "<think>a<answer>b</answer>", "<think>a</think>x<answer>b</answer>",
        "so <think>a</think><answer>b</answer>", "<think>a</think><answer>b</answer> done", "<think>a</think><answer>b</answer></answer>",
        "<think><think>a</think><answer>b</answer>", "<answer>b</answer><think>a</think>", "</think>a<think><answer>b</answer>",
        "<think>a</think></answer>b<answer>", "<think>a<answer>c</answer></think><answer>b</answer>", "<think><answer></think></answer>"}) {
    EXPECT_EQ(format(text), 0.0) << text;
  }
}

TEST(Format, EmptyTagsAreRefusedUnlessAllowed) {
  for (const char* text :
       {"<think></think><answer>b</answer>", "<think> \n\t</think><answer>b</answer>", "<think>a</think><answer></answer>",
        "<think>a</think> <answer>\n</answer>", "<think></think><answer></answer>"}) {
    EXPECT_EQ(format(text), 0.0) << text;
    EXPECT_EQ(format(text, {{"partial", "true"}}), 0.5) << text;  // its four tags
    EXPECT_EQ(format(text, {{"allow_empty", "true"}}), 1.0) << text;
  }
  const RewardOptions prefilled = {{"think_prefilled", "true"}};
  EXPECT_EQ(format("\n</think><answer>b</answer>", prefilled), 0.0);
  EXPECT_EQ(format("\n</think><answer>b</answer>", {{"think_prefilled", "true"}, {"allow_empty", "true"}}), 1.0);
  EXPECT_EQ(format("<think></think>x<answer></answer>", {{"allow_empty", "true"}}), 0.0);
}

TEST(Format, PartialCreditIsBelowHalf) {
  const RewardOptions partial = {{"partial", "true"}};
  EXPECT_EQ(format("<think>a</think><answer>b</answer>", partial), 1.0);
  EXPECT_EQ(format("<think>a</think><answer>b</answer> done", partial), 0.5);
  EXPECT_EQ(format("<think>a<answer>b</answer>", partial), 0.125);
  EXPECT_EQ(format("<think><think>a", partial), 0.0);
}

TEST(Format, APrefilledThinkCounts) {
  const RewardOptions prefilled = {{"think_prefilled", "true"}};
  EXPECT_EQ(format("a</think><answer>b</answer>", prefilled), 1.0);
  EXPECT_EQ(format("<think>a</think><answer>b</answer>", prefilled), 0.0);
  EXPECT_EQ(tag_count("a</think><answer>b</answer>", prefilled), 1.0);
}

TEST(TagCount, GivesAQuarterForEachSingleTag) {
  EXPECT_EQ(tag_count("<think>a</think><answer>b</answer>"), 1.0);
  EXPECT_EQ(tag_count("</answer><think>"), 0.25);
  EXPECT_EQ(tag_count("<think><think></think>"), 0.25);
  EXPECT_EQ(tag_count("none"), 0.0);
}

}  // namespace
}  // namespace grpo
