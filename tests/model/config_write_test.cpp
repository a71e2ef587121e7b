#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grpo/model/config.h"

namespace grpo {
namespace {

// transformers scores a sequence's last token that is no padding, the reward model its end token.
TEST(ModelConfigJson, EndTokenOfAClassifierIsNoPadding) {
  ModelConfig config;
  config.model_type = "llama";
  config.eos_token_ids = {7};
  config.pad_token_id = 7;
  const auto pad = [&config] { return nlohmann::json::parse(model_config_to_json(config, "float32")).at("pad_token_id"); };
  EXPECT_EQ(pad(), 7);
  config.sequence_classifier = true;
  EXPECT_TRUE(pad().is_null());
  config.pad_token_id = 3;
  EXPECT_EQ(pad(), 3);
}

}  // namespace
}  // namespace grpo
