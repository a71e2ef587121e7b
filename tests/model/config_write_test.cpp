#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grpo/core/error.h"
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

/// A family whose files call the bias of q, k and v otherwise, with norms of q and k.
class Own final : public ModelFamily {
 public:
  std::string architecture() const override { return "Own"; }
  void read(const std::string& config_json, ModelConfig& config) const override {
    config.qkv_bias = nlohmann::json::parse(config_json).at("use_qkv_bias").get<bool>();
    config.qk_norm = true;
  }
  std::string further_keys(const ModelConfig& config) const override { return nlohmann::json{{"use_qkv_bias", config.qkv_bias}}.dump(); }
};

TEST(ModelFamilies, OneOfYourOwnIsReadAndWritten) {
  FamilyRegistry families = builtin_families();
  families.add<Own>("own");
  const std::string text = R"({"model_type": "own", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
                              "num_attention_heads": 2, "use_qkv_bias": true})";
  const ModelConfig config = model_config_from_json(text, {}, families);
  EXPECT_TRUE(config.qkv_bias && config.qk_norm && !config.output_bias);
  const auto written = nlohmann::json::parse(model_config_to_json(config, "float32"));
  EXPECT_EQ(written.at("architectures"), nlohmann::json{"OwnForCausalLM"});
  EXPECT_EQ(written.at("model_type"), "own");
  EXPECT_EQ(written.at("use_qkv_bias"), true);
  EXPECT_FALSE(written.contains("attention_bias"));
  EXPECT_TRUE(model_config_from_json(written.dump(), {}, families).qkv_bias);
  try {
    model_config_from_json(text);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected a model_type among llama, mistral, qwen2, qwen3; got 'own'"), std::string::npos);
  }
}

}  // namespace
}  // namespace grpo
