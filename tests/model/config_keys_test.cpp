// Every key of a model's files is used, known to be harmless, named in a warning or refused. Oracles: transformers' configurations, by
// hand.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grpo/model/config.h"
#include "support/errors.h"

namespace grpo {
namespace {

using Json = nlohmann::json;

const char* const kConfig = R"({"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 3,
                                "num_attention_heads": 2, "max_position_embeddings": 64})";

struct Read {
  ModelConfig config;
  std::string log;
};

/// The config with further keys, and what was said while it was read.
Read read_with(const std::string& further, const std::string& generation = {}) {
  Json json = Json::parse(kConfig);
  json.update(Json::parse(further));
  ::testing::internal::CaptureStderr();
  Read read;
  try {
    read.config = model_config_from_json(json.dump(), generation);
  } catch (...) {
    ::testing::internal::GetCapturedStderr();
    throw;
  }
  read.log = ::testing::internal::GetCapturedStderr();
  return read;
}

std::string fault_of(const std::string& further) {
  return testing::message_of([&] { read_with(further); });
}

TEST(ConfigKeys, UnknownOnesAreNamedInOneWarning) {
  const auto read = read_with(R"({"residual_multiplier": 2, "mup_width": 1, "torch_dtype": "bfloat16", "transformers_version": "4.40"})");
  EXPECT_NE(read.log.find("config.json: not known here and not used: 'mup_width', 'residual_multiplier'"), std::string::npos) << read.log;
  EXPECT_EQ(std::count(read.log.begin(), read.log.end(), '\n'), 1) << read.log;
}

TEST(ConfigKeys, HarmlessOnesAreNot) {
  EXPECT_EQ(read_with(R"({"torch_dtype": "bfloat16", "use_cache": true, "pretraining_tp": 1, "attention_bias": false, "mlp_bias": false,
                         "quantization_config": null, "partial_rotary_factor": 1, "use_mrope": false, "temperature": 0.5,
                         "rope_scaling": null, "rope_parameters": {"rope_type": "default", "rope_theta": 500}})")
                .log,
            "");
}

struct BadKey {
  std::string further, fault;
};

TEST(ConfigKeys, OfAnotherTypeOrOfWhatIsNotSupportedAreErrors) {
  const std::vector<BadKey> cases = {
      {R"({"vocab_size": 1.7})", "expected an integer of 64 bits for 'vocab_size'; got 1.7"},
      {R"({"vocab_size": true})", "for 'vocab_size'; got true"},
      {R"({"vocab_size": null})", "expected an integer 'vocab_size'"},
      {R"({"num_key_value_heads": 2.0})", "for 'num_key_value_heads'; got 2.0"},
      {R"({"head_dim": "4"})", "for 'head_dim'; got \"4\""},
      {R"({"hidden_size": 18446744073709551615})", "for 'hidden_size'; got 18446744073709551615"},
      {R"({"rms_norm_eps": true})", "expected a number for 'rms_norm_eps'; got true"},
      {R"({"tie_word_embeddings": 1})", "expected true or false for 'tie_word_embeddings'; got 1"},
      {R"({"eos_token_id": 1.7})", "expected integer ids in 'eos_token_id'; got 1.7"},
      {R"({"eos_token_id": [1, true]})", "expected integer ids in 'eos_token_id'; got true"},
      {R"({"bos_token_id": 18446744073709551615})", "expected integer ids in 'bos_token_id'; got 18446744073709551615"},
      {R"({"quantization_config": {"quant_method": "gptq"}})", "expected no 'quantization_config', which is not supported"},
      {R"({"partial_rotary_factor": 0.5})", "expected no 'partial_rotary_factor' but 1.0"},
      {R"({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_type": "default"}})", "got both, and they differ"},
      {R"({"rope_parameters": {"full_attention": {"rope_theta": 5}}})",
       "one rotary embedding for all layers; got one for 'full_attention'"},
      {R"({"rope_scaling": {"type": "linear"}})", "expected 'factor' for this rope type"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}})",
       "expected 'original_max_position_embeddings' for this rope type"},
      {R"({"rope_scaling": {"type": "dynamic", "factor": 2}})", "got 'dynamic'"},
      {R"({"rope_scaling": {"type": "yarn", "factor": 2, "mscale": 1.0}})", "expected no 'mscale'"},
      {R"({"max_position_embeddings": 4611686018427387904})", "max_position_embeddings must be in 1 … 16777216"},
      {R"({"model_type": "qwen2", "sliding_window": 4, "use_sliding_window": true, "layer_types": ["full_attention", "linear_attention",
          "full_attention"]})",
       "in layer_types; got \"linear_attention\""},
  };
  for (const auto& [further, fault] : cases)
    EXPECT_NE(fault_of(further).find(fault), std::string::npos) << further << "\n" << fault_of(further);
  const std::string deep = std::string(200000, '[');
  EXPECT_NE(testing::message_of([&] { model_config_from_json(deep); }).find("[config.json] expected JSON"), std::string::npos);
  EXPECT_NE(testing::message_of([&] { model_config_from_json(kConfig, deep); }).find("[generation_config.json] expected JSON"),
            std::string::npos);
}

TEST(ConfigKeys, NullParametersHideNoScaling) {
  const auto rope =
      read_with(R"({"rope_parameters": null, "rope_scaling": {"type": "linear", "factor": 4}, "rope_theta": 500})").config.rope;
  EXPECT_EQ(rope.type, RopeConfig::Type::kLinear);
  EXPECT_EQ(rope.factor, 4.0);
  EXPECT_EQ(rope.theta, 500.0);
  const auto read = read_with(R"({"rope_scaling": {"type": "linear", "factor": 4, "alpha": 2}})");
  EXPECT_NE(read.log.find("config.json: rope_parameters: not known here and not used: 'alpha'"), std::string::npos) << read.log;
}

// transformers: a Llama knows no windows, Mistral has one for all layers, Qwen by layer where use_sliding_window turns them on.
TEST(ConfigKeys, WindowsAreThoseOfTheFamily) {
  const auto windows = [](const std::string& further) {
    const auto read = read_with(further);
    EXPECT_EQ(read.log, "") << further;
    return read.config.sliding_window;
  };
  const std::vector<int64_t> none, all = {4, 4, 4}, last = {0, 0, 4};
  EXPECT_EQ(windows(R"({"sliding_window": 4, "use_sliding_window": true, "max_window_layers": 2})"), none);
  EXPECT_EQ(windows(R"({"model_type": "mistral", "sliding_window": 4})"), all);
  EXPECT_EQ(windows(R"({"model_type": "mistral", "sliding_window": null})"), none);
  const std::string qwen = R"({"model_type": "qwen2", "sliding_window": 4, "max_window_layers": 2, "use_sliding_window": )";
  EXPECT_EQ(windows(qwen + "false}"), none);
  EXPECT_EQ(windows(qwen + "true}"), last);
  EXPECT_EQ(windows(qwen + R"(true, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]})"),
            (std::vector<int64_t>{4, 0, 4}));
}

// Oracle: save_pretrained, which keeps what was read; ids are the model's.
TEST(ConfigKeys, GenerationDefaultsAreKept) {
  const auto config =
      read_with(
          R"({"eos_token_id": 2, "pad_token_id": 3})",
          R"({"temperature": 0.6, "do_sample": true, "eos_token_id": [2, 4], "top_p": 0.95, "stop_strings": ["x"], "bos_token_id": 1})")
          .config;
  const Json written = Json::parse(generation_config_to_json(config, 5));
  EXPECT_EQ(written, Json::parse(R"({"temperature": 0.6, "do_sample": true, "top_p": 0.95, "stop_strings": ["x"], "eos_token_id": [2, 4, 5],
                                     "pad_token_id": 3})"));
}

}  // namespace
}  // namespace grpo
