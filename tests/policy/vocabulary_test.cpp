// A tokenizer that has more tokens than the model. Oracles: the ids by hand; what the sampler may draw.
#include <gtest/gtest.h>

#include <algorithm>

#include "grpo/core/error.h"
#include "grpo/data/dataset.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/policy/sampling.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

constexpr int32_t kRows = 97;  // letters and </s>

/// A token for each character of ASCII, </s>, and <|new|> (97), <|pad|> (98), which the model has no embeddings for.
Policy policy_of(const std::string& tokenizer_config, std::string& log) {
  std::vector<std::string> vocabulary;
  for (char c = ' '; c < 127; ++c) vocabulary.emplace_back(1, c);
  vocabulary.emplace_back("\n");
  testing::TinyTokenizer tokenizer(vocabulary);
  tokenizer.added(96, "</s>", {{"special", true}}).added(kRows, "<|new|>", {{"special", true}}).added(98, "<|pad|>", {{"special", true}});
  ModelConfig config;
  config.vocab_size = kRows;
  config.hidden_size = 8;
  config.intermediate_size = 16;
  config.num_hidden_layers = 1;
  config.num_attention_heads = config.num_key_value_heads = 2;
  config.head_dim = 4;
  config.eos_token_ids = {96};
  auto model = std::make_shared<Transformer>(config, at::kFloat, at::kCPU);
  init_weights(*model, 1);
  ::testing::internal::CaptureStderr();
  Policy policy = make_policy(std::move(model), tokenizer.load({{"tokenizer_config.json", tokenizer_config}}));
  log = ::testing::internal::GetCapturedStderr();
  return policy;
}

Problem asks(const std::string& question) {
  Problem problem;
  problem.index = 7;
  problem.question = question;
  return problem;
}

template <class Call>
std::string error_message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

const PromptOptions kPlain{.prompt_template = "plain"};
constexpr const char* kRefused =
    "problem 7: expected text of the model's 97 tokens; got '<|new|>' (id 97), which the tokenizer has and the model has no embedding for";

TEST(LargerTokenizer, LoadsWithOneWarning) {
  std::string log;
  policy_of(R"({"eos_token": "</s>"})", log);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_NE(log.find("the tokenizer has 99 ids and the model 97 embeddings"), std::string::npos) << log;
  EXPECT_EQ(log.find("is not used"), std::string::npos) << log;
}

TEST(LargerTokenizer, OnlyTextThatNeedsAMissingTokenIsRefused) {
  std::string log;
  const Policy policy = policy_of(R"({"eos_token": "</s>"})", log);
  EXPECT_EQ(policy.encode_prompt(asks("q"), kPlain).ids, (std::vector<int32_t>{'q' - ' ', 95}));
  const auto refused = [](const auto& call) { return error_message(call).find(kRefused) != std::string::npos; };
  const Problem good = asks("q"), bad = asks("a<|new|>b");
  EXPECT_TRUE(refused([&] { policy.encode_prompt(bad, kPlain); })) << error_message([&] { policy.encode_prompt(bad, kPlain); });
  EXPECT_TRUE(refused([&] { policy.encode_completion(good, kPlain, "<|new|>"); }));
  EXPECT_TRUE(refused([&] { policy.encode_pair(good, kPlain, {"<|new|>"}, {"b"}); }));
  EXPECT_TRUE(refused([&] { policy.encode_pair(good, kPlain, {"a"}, {"b<|new|>"}); }));
  RolloutEngine engine(*policy.model);
  EXPECT_TRUE(refused([&] { sample(policy, engine, {&bad}, kPlain, {}, {}); }));
}

TEST(LargerTokenizer, MissingTokensAreNeverSampled) {
  std::string log;
  const Policy policy = policy_of(R"({"eos_token": "</s>"})", log);
  RolloutEngine engine(*policy.model);
  SamplingParams params;
  params.num_generations = 64;
  params.max_completion_length = 32;
  params.temperature = 10.0;
  const Problem problem = asks("q");
  const Experience groups = sample(policy, engine, {&problem}, kPlain, params, {});
  ASSERT_EQ(groups.front().samples.size(), 64U);
  for (const Sample& one : groups.front().samples) {
    for (const int32_t id : one.ids) EXPECT_LT(id, kRows);
  }
}

TEST(LargerTokenizer, AnEndTokenAmongThemIsNamedAndNotUsed) {
  std::string log;
  Policy policy = policy_of(R"({"eos_token": "<|new|>", "pad_token": "<|pad|>"})", log);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_NE(log.find("end token '<|new|>' (id 97)"), std::string::npos) << log;
  EXPECT_NE(log.find("pad token '<|pad|>' (id 98)"), std::string::npos) << log;
  EXPECT_EQ(policy.end_id(), 96);  // the model's own
  EXPECT_EQ(policy.turn_end_id(asks("q"), kPlain), 96);
  policy.chat_template.emplace("{% for m in messages %}{{ m.content }}<|new|></s>{% endfor %}");
  const PromptOptions chat{.prompt_template = "chat"};
  EXPECT_EQ(policy.turn_end_id(asks("q"), chat), 96);
  EXPECT_NE(error_message([&] { policy.encode_prompt(asks("q"), chat); }).find(kRefused), std::string::npos);
  policy.chat_template.emplace("{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
  EXPECT_EQ(policy.encode_prompt(asks("q"), chat).ids, (std::vector<int32_t>{'q' - ' '}));
}

}  // namespace
}  // namespace grpo
