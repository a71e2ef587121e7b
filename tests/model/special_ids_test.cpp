// Begin, end and pad ids of foreign files. Oracle: by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "grpo/core/error.h"
#include "grpo/model/config.h"

namespace grpo {
namespace {

/// The config of a model of ten tokens; `log` gets what is said while it is read.
ModelConfig config_with(const std::string& ids, const std::string& generation, std::string& log) {
  ::testing::internal::CaptureStderr();
  ModelConfig config;
  try {
    config = model_config_from_json(R"({"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 8,
                                        "num_hidden_layers": 1, "num_attention_heads": 2)" +
                                        ids + "}",
                                    generation);
  } catch (...) {
    ::testing::internal::GetCapturedStderr();
    throw;
  }
  log = ::testing::internal::GetCapturedStderr();
  return config;
}

TEST(SpecialIds, AreThoseOfBothFiles) {
  std::string log;
  const ModelConfig config = config_with(R"(, "eos_token_id": [2, 3], "bos_token_id": 1, "pad_token_id": [4, 5])",
                                         R"({"eos_token_id": [3, 9], "bos_token_id": 1})", log);
  EXPECT_EQ(config.eos_token_ids, (std::vector<int32_t>{2, 3, 9}));
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.pad_token_id, 4);
  EXPECT_TRUE(log.empty()) << log;
}

TEST(SpecialIds, BeyondTheVocabularyAreNamedAndNotUsed) {
  std::string log;
  const ModelConfig config = config_with(R"(, "eos_token_id": [2, 10], "bos_token_id": 11, "pad_token_id": 4294967297)",
                                         R"({"eos_token_id": 9999, "pad_token_id": 12})", log);
  EXPECT_EQ(config.eos_token_ids, (std::vector<int32_t>{2}));
  EXPECT_EQ(config.bos_token_id, -1);
  EXPECT_EQ(config.pad_token_id, -1);
  for (const char* named : {"config.json: eos_token_id names the id 10", "config.json: bos_token_id names the id 11",
                            "config.json: pad_token_id names the id 4294967297", "generation_config.json: eos_token_id names the id 9999",
                            "generation_config.json: pad_token_id names the id 12"})
    EXPECT_NE(log.find(named), std::string::npos) << named << "\n" << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 5) << log;
}

TEST(SpecialIds, MayBeNone) {
  std::string log;
  const ModelConfig config = config_with(R"(, "eos_token_id": null, "bos_token_id": -1, "pad_token_id": -1)", "{}", log);
  EXPECT_TRUE(config.eos_token_ids.empty());
  EXPECT_EQ(config.bos_token_id, -1);
  EXPECT_EQ(config.pad_token_id, -1);
  EXPECT_TRUE(log.empty()) << log;
}

TEST(SpecialIds, OfAnotherTypeAreErrorsThatNameTheFile) {
  std::string log;
  const auto message_of = [&log](const std::string& ids, const std::string& generation) -> std::string {
    try {
      config_with(ids, generation, log);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(message_of(R"(, "eos_token_id": "x")", ""), "[config.json] expected integer ids in 'eos_token_id'; got \"x\"");
  EXPECT_EQ(message_of("", R"({"eos_token_id": [1.5]})"), "[generation_config.json] expected integer ids in 'eos_token_id'; got 1.5");
}

}  // namespace
}  // namespace grpo
