// Rewards of steps from texts to advantages. Oracles: which token each byte was made of, known as texts are put together; hand values.
#include "objective/step_rewards.h"

#include <random>

#include "grpo/core/error.h"
#include "grpo/dist/communicator.h"
#include "grpo/objective/objective.h"
#include "grpo/policy/policy.h"
#include "grpo/text/byte_tokenizer.h"
#include "grpo/trainer/policy_trainer.h"
#include "support/parity.h"
#include "text/tiny_tokenizer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

using testing::Ids;
using testing::Json;
using testing::TinyTokenizer;

/// Tokens <0xNN> of all bytes (ids 0 … 255), some words and a special token; the decoder is that of converted sentencepiece vocabularies.
std::shared_ptr<const Tokenizer> byte_fallback() {
  std::vector<std::string> vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    char token[8];
    std::snprintf(token, sizeof token, "<0x%02X>", byte);
    vocabulary.emplace_back(token);
  }
  for (const char* word : {"ab", "\u2581c", "\u00E9"}) vocabulary.emplace_back(word);
  const Json spaces{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}};
  const Json parts = {spaces, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  return TinyTokenizer(vocabulary)
      .added(259, "<end>", {{"special", true}})
      .with("decoder", {{"type", "Sequence"}, {"decoders", parts}})
      .load();
}

/// Ids with, for each byte of their text, the number of the id that brings it.
struct Spelled {
  Ids ids;
  std::string text;
  std::vector<size_t> owners;

  void add(int32_t id, const std::string& bytes) {
    owners.insert(owners.end(), bytes.size(), ids.size());
    text += bytes;
    ids.push_back(id);
  }
  void add_bytes(const std::string& character) {
    for (const char byte : character) add(static_cast<unsigned char>(byte), std::string(1, byte));
  }
};

const char* const kCharacters[] = {"x", " ", "\n", "\u00E9", "\u20AC", "\U0001F600", "="};

Spelled random_spelling(std::mt19937& random, const std::vector<std::pair<int32_t, std::string>>& others) {
  Spelled spelled;
  for (auto left = random() % 20; left-- > 0;) {
    if (random() % 2 == 0) {
      spelled.add_bytes(kCharacters[random() % std::size(kCharacters)]);
    } else {
      const auto& [id, bytes] = others[random() % others.size()];
      spelled.add(id, bytes);
    }
  }
  return spelled;
}

TEST(TextEnds, ACharacterBelongsToTheIdOfItsLastByte) {
  const auto byte_level = make_byte_tokenizer({"<think>", "\u4F60ab"});
  const std::vector<std::pair<int32_t, std::string>> extras{{256, "<think>"}, {257, "\u4F60ab"}, {258, ""}},
      words{{256, "ab"}, {257, " c"}, {258, "\u00E9"}, {259, ""}};
  std::mt19937 random(3);
  for (const auto& [tokenizer, others] : {std::pair(byte_level, extras), {byte_fallback(), words}}) {
    for (int i = 0; i < 2000; ++i) {
      const Spelled spelled = random_spelling(random, others);
      ASSERT_EQ(tokenizer->decode(spelled.ids, true), spelled.text);
      const auto ends = text_ends(*tokenizer, spelled.ids);
      ASSERT_EQ(ends.size(), spelled.ids.size());
      for (size_t end = 1; end <= spelled.text.size(); ++end) {
        if (end < spelled.text.size() && (spelled.text[end] & 0xC0) == 0x80) continue;  // within a character
        const auto at = std::ranges::lower_bound(ends, end) - ends.begin();
        ASSERT_EQ(static_cast<size_t>(at), spelled.owners[end - 1]) << spelled.text << " at " << end;
      }
    }
  }
}

TEST(TextEnds, AnyIdsEndWhereTheTextDoes) {
  std::mt19937 random(4);
  for (const auto& tokenizer : {make_byte_tokenizer({"<think>"}), byte_fallback()}) {
    for (int i = 0; i < 2000; ++i) {
      Ids ids(1 + random() % 12);
      for (auto& id : ids) id = static_cast<int32_t>(random() % 2 == 0 ? random() % 258 : 0xE2 + random() % 2);
      const auto ends = text_ends(*tokenizer, ids);
      EXPECT_TRUE(std::ranges::is_sorted(ends));
      EXPECT_EQ(ends.back(), tokenizer->decode(ids, true).size());
    }
  }
}

TEST(RewardsById, StandAtTheStepsLastIds) {
  const auto tokenizer = make_byte_tokenizer({"1;2;"});
  const Ids ids = {0xE2, 0x82, 0xAC, '=', 256, 'x', 257};  // €=1;2;x and the end
  const auto rewards = rewards_by_id(*tokenizer, ids, {{3, 0.5}, {6, 1.0}, {8, 0.0}, {8, 2.0}, {9, -1.0}});
  const double none = std::nan("");
  const std::vector<double> expected = {none, none, 0.5, none, 1.0, -1.0, none};
  ASSERT_EQ(rewards.size(), expected.size());
  for (size_t i = 0; i < rewards.size(); ++i) {
    EXPECT_TRUE(rewards[i] == expected[i] || (std::isnan(rewards[i]) && std::isnan(expected[i]))) << i;
  }
  for (const double reward : rewards_by_id(*tokenizer, ids, {})) EXPECT_TRUE(std::isnan(reward));
  EXPECT_THROW(rewards_by_id(*tokenizer, ids, {{10, 1.0}}), Error);
}

/// A sample of the bytes of `text` and the end.
Sample sample_of(const std::string& text) {
  Sample sample;
  for (const char byte : text) sample.ids.push_back(static_cast<unsigned char>(byte));
  sample.ids.push_back(256);
  sample.finish = FinishReason::kStop;
  sample.text = text;
  return sample;
}

// Oracle: by hand. Steps of the group: 1, 0 | 1 | none, mean 2/3; the other group's one step has nothing to compare with.
TEST(ProcessSupervision, GivesTheAdvantagesOfTheStepsToCome) {
  Config c = testing::tiny_config("steps");
  c.algorithm.advantage.advantage_estimator = "process_supervision";
  c.algorithm.advantage.scale_rewards = ScaleRewards::kNone;
  c.algorithm.step_reward = "equations";
  c.reward = {{.name = "length", .function = {}, .weight = 1.0, .options = {}},
              {.name = "equations", .function = {}, .weight = 1.0, .options = {}}};
  const Policy policy = load_policy(c.model, 0);
  const auto communicator = single_process();
  const LossRegistry losses{"loss"};
  const EstimatorRegistry estimators = builtin_estimators();
  const auto objective = builtin_objectives().make("grpo", {.policy = *policy.model,
                                                            .tokenizer = *policy.tokenizer,
                                                            .config = c.algorithm,
                                                            .rewards = c.reward,
                                                            .updates_per_rollout = 1,
                                                            .max_tokens = 64,
                                                            .max_completion_length = 16,
                                                            .seed = 0,
                                                            .communicator = *communicator,
                                                            .losses = losses,
                                                            .estimators = estimators});

  const Problem problem;
  Experience experience(2);
  for (Group& group : experience) group.problem = &problem, group.prompt_ids = {'?'};
  experience[0].samples = {sample_of("1+1=2 1+1=3"), sample_of("1+2=3."), sample_of("?")};
  experience[1].samples = {sample_of("1+2=4")};
  RewardSet rewards = make_rewards(c.reward, testing::registry().rewards);
  RewardContext context;
  score(rewards, experience, context);
  const auto [batch, metrics] = objective->prepare(experience, {});

  std::vector<double> expected;
  for (const auto& [count, advantage] : {std::pair(5, 1.0 / 3 - 2.0 / 3), {6, -2.0 / 3}, {1, 0.0}, {5, 1.0 / 3}, {2 + 2 + 6, 0.0}}) {
    for (int i = 0; i < count; ++i) expected.push_back(advantage);
  }
  ASSERT_EQ(batch.num_pairs(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(batch.advantages.const_data_ptr<float>()[i], expected[i], 1e-6) << i;
  EXPECT_EQ(metrics.at("steps/per_completion"), 1.0);
  EXPECT_EQ(metrics.at("steps/reward"), 0.5);
  EXPECT_EQ(step_rewards(*policy.tokenizer, experience, rewards.names, "")[3][4], 0.0);
  EXPECT_THROW(step_rewards(*policy.tokenizer, {}, rewards.names, ""), Error);
}

/// One step, the whole text, worth its bytes.
class WholeText final : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& /*context*/) override {
    for (size_t i = 0; i < batch.size(); ++i) {
      const size_t bytes = batch[i].text.size();
      if (bytes > 0) scores[i].steps = {{bytes, static_cast<double>(bytes)}};
    }
  }
};

/// The mean of the bytes of the texts in completions.jsonl.
double mean_bytes(const Config& c) {
  double sum = 0.0, count = 0.0;
  std::ifstream in(testing::fs::path(c.trainer.output_dir) / "completions.jsonl");
  for (std::string line; std::getline(in, line);) {
    const auto bytes = Json::parse(line).at("completion").get<std::string>().size();
    sum += static_cast<double>(bytes);
    count += bytes > 0 ? 1.0 : 0.0;
  }
  return sum / count;
}

// A step that lost its sample would lie beyond a text or have another's value; permuted values keep their mean and teach something else.
TEST(ProcessSupervision, StepsStayWithTheirSamples) {
  Registry registry = testing::registry();
  registry.add_reward<WholeText>("whole_text");
  Config c = testing::tiny_config("steps-filtered");
  c.reward.push_back({.name = "whole_text", .function = {}, .weight = 0.0, .options = {}});
  c.algorithm.advantage.advantage_estimator = "process_supervision";
  c.trainer.log_completions = c.algorithm.generation_batch_size;
  c.trainer.max_steps = 1;
  const auto train = [&] {
    testing::fs::remove_all(c.trainer.output_dir);
    PolicyTrainer trainer(c, {}, registry);
    std::map<std::string, double> metrics;
    trainer.on_step([&metrics](const TrainReport& report) { metrics = report.metrics; });
    EXPECT_TRUE(trainer.train());
    EXPECT_NEAR(metrics.at("steps/reward"), mean_bytes(c), 1e-9);
    return std::pair(metrics, testing::weights(trainer.model()));
  };
  const auto plain = train();
  c.trainer.shuffle_rewards = true;
  EXPECT_FALSE(testing::equal(train().second, plain.second));
  c.trainer.shuffle_rewards = false;
  c.algorithm.dynamic_sampling = true;
  c.algorithm.dynamic_sampling_reward = "even";
  c.algorithm.accuracy_upper_bound = 0.5;
  EXPECT_GT(train().first.at("tokens/dropped"), 0.0);
}

TEST(ProcessSupervision, IsConfiguredWithoutContradiction) {
  Config c = testing::tiny_config("steps-invalid");
  c.algorithm.step_reward = "even";
  EXPECT_THROW(validate(c, Command::kTrain), Error);
  c.algorithm.advantage.advantage_estimator = "process_supervision";
  EXPECT_NO_THROW(validate(c, Command::kTrain));
  c.algorithm.step_reward = "evn";
  EXPECT_THROW(validate(c, Command::kTrain), Error);
  c.algorithm.step_reward = "even";
  c.algorithm.objective = "ppo";
  EXPECT_THROW(validate(c, Command::kTrain), Error);
}

}  // namespace
}  // namespace grpo
