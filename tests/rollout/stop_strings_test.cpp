#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "grpo/rollout/engine.h"
#include "grpo/text/tokenizer.h"
#include "toy_model.h"

namespace grpo {
namespace {

/// Every id is one letter or, from 26 on, two: strings of two letters mostly cross tokens.
class LetterTokenizer final : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view, bool) const override { return {}; }
  std::string decode(std::span<const int32_t> ids, bool) const override {
    std::string text;
    for (const int32_t id : ids) text += id_to_token(id);
    return text;
  }
  int64_t vocab_size() const override { return 37; }
  std::string id_to_token(int32_t id) const override {
    const std::string letter(1, static_cast<char>('a' + id % 26));
    return id < 26 ? letter : letter + letter;
  }
  std::optional<int32_t> token_to_id(std::string_view) const override { return std::nullopt; }
  bool is_special(int32_t) const override { return false; }
};

// Property: a completion ends with the first token after which its whole text contains a stop string, and with no other.
TEST(StopStrings, EndACompletionAcrossTokensAndKeepThem) {
  const LetterTokenizer tokenizer;
  testing::ToyModel model(testing::toy_config(), 3, 0.02F);
  RolloutEngine engine(model.view, [] { return int64_t{0}; }, {.max_slots = 5});
  SamplingParams params;
  params.num_generations = 40;
  params.max_completion_length = 40;
  params.stop = {"ab", "ccc", "k"};
  GenerateContext context;
  context.tokenizer = &tokenizer;
  const std::vector<Prompt> prompts = {{.problem = 1, .ids = {4, 5, 6}}, {.problem = 2, .ids = {0}}};
  const auto contains_stop = [&](std::span<const int32_t> ids) {
    const std::string text = tokenizer.decode(ids, false);
    return std::any_of(params.stop.begin(), params.stop.end(),
                       [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
  };
  int crossing = 0;
  for (const Rollout& rollout : engine.generate(prompts, params, {.seed = 6}, context)) {
    const std::span<const int32_t> ids = rollout.ids;
    EXPECT_FALSE(contains_stop(ids.first(ids.size() - 1)));
    EXPECT_EQ(contains_stop(ids), rollout.finish == FinishReason::kStopString);
    if (rollout.finish == FinishReason::kLength) {
      EXPECT_EQ(ids.size(), 40U);
    }
    crossing += contains_stop(ids) && !contains_stop(ids.last(1));
  }
  EXPECT_GT(crossing, 0);
}

}  // namespace
}  // namespace grpo
