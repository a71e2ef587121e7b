// GGUF files as models. Oracles: the same weights in a model of this library, whose rows are permuted by hand; llama.cpp's rules for keys.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "grpo/io/gguf.h"
#include "grpo/model/transformer.h"
#include "io/gguf_bytes.h"
#include "io/temp_folder.h"
#include "support/errors.h"
#include "support/packed.h"

namespace grpo {
namespace {

using testing::GgufBytes;
using Tensors = std::map<std::string, at::Tensor>;

ModelConfig gguf_config() {
  ModelConfig c;
  c.vocab_size = 11;
  c.hidden_size = 8;
  c.intermediate_size = 12;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 2;
  c.num_key_value_heads = 1;
  c.head_dim = 4;
  c.max_position_embeddings = 32;
  c.qkv_bias = c.output_bias = c.mlp_bias = true;
  return c;
}

/// The model, biases included, and its tensors under GGUF's names, q and k as files of the llama family have them.
std::pair<std::unique_ptr<Transformer>, Tensors> model_and_tensors() {
  const c10::NoGradGuard no_grad;
  auto model = std::make_unique<Transformer>(gguf_config(), at::kFloat, at::kCPU);
  init_weights(*model, 5);
  const std::map<std::string, std::string> parts = {{"input_layernorm", "attn_norm"}, {"post_attention_layernorm", "ffn_norm"},
                                                    {"self_attn.q_proj", "attn_q"},   {"self_attn.k_proj", "attn_k"},
                                                    {"self_attn.v_proj", "attn_v"},   {"self_attn.o_proj", "attn_output"},
                                                    {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},
                                                    {"mlp.down_proj", "ffn_down"}};
  Tensors tensors;
  for (auto& [name, value, grad, decay] : model->named_parameters()) {
    if (name.ends_with(".bias")) value.normal_(0.0, 0.3);
    std::string gguf = name == "model.embed_tokens.weight" ? "token_embd.weight"
                       : name == "lm_head.weight"          ? "output.weight"
                                                           : "output_norm.weight";
    at::Tensor stored = value.clone();
    if (name.starts_with("model.layers.")) {
      const std::string layer = name.substr(13, 1), rest = name.substr(15), kind = rest.substr(rest.rfind('.'));
      gguf = "blk." + layer + "." + parts.at(rest.substr(0, rest.rfind('.'))) + kind;
      if (gguf.find("attn_q.") != std::string::npos || gguf.find("attn_k.") != std::string::npos) {
        const int64_t columns = value.numel() / value.size(0);  // row 2i + half of a head is row half · 2 + i
        stored = value.reshape({-1, 2, 2, columns}).transpose(1, 2).reshape(value.sizes()).contiguous();
      }
    }
    tensors.emplace(gguf, stored);
  }
  return {std::move(model), std::move(tensors)};
}

class GgufModel : public testing::TempFolder {
 protected:
  /// A file of F32 tensors; `further` adds metadata and says how many pairs they are.
  std::filesystem::path file(
      const Tensors& tensors, const std::function<int(GgufBytes&)>& further = [](GgufBytes&) { return 0; }) const {
    GgufBytes pairs;
    const int more = further(pairs);
    GgufBytes out;
    out.header(tensors.size(), static_cast<uint64_t>(7 + more));
    out.key("general.architecture", 8).string("llama");
    for (const auto& [key, value] :
         {std::pair("embedding_length", 8), std::pair("feed_forward_length", 12), std::pair("block_count", 2),
          std::pair("attention.head_count", 2), std::pair("attention.head_count_kv", 1), std::pair("context_length", 32)}) {
      out.pair<uint32_t>(std::string("llama.") + key, 4, static_cast<uint32_t>(value));
    }
    out.data(pairs.str());
    std::string data;
    for (const auto& [name, value] : tensors) {
      out.string(name).raw(static_cast<uint32_t>(value.dim()));
      for (int64_t i = value.dim() - 1; i >= 0; --i) out.raw<uint64_t>(static_cast<uint64_t>(value.size(i)));
      out.raw<uint32_t>(0).raw<uint64_t>(data.size());
      data.append(static_cast<const char*>(value.const_data_ptr()), value.nbytes());
      data.resize((data.size() + 31) / 32 * 32);
    }
    return write("m.gguf", out.pad().data(data).str());
  }
  std::string fault(
      const Tensors& tensors, const std::function<int(GgufBytes&)>& further = [](GgufBytes&) { return 0; }) const {
    const auto path = file(tensors, further);
    return testing::message_of([&] { load_model(path); });
  }
};

at::Tensor logits(Transformer& model) { return model.logits(testing::pack_sequences({{1, 2, 3, 4, 5, 6}})); }

TEST_F(GgufModel, UsesEveryBias) {
  const auto [model, tensors] = model_and_tensors();
  const auto loaded = load_model(file(tensors));
  EXPECT_TRUE(loaded->config().qkv_bias && loaded->config().output_bias && loaded->config().mlp_bias);
  EXPECT_LT((logits(*loaded) - logits(*model)).abs().max().item<double>(), 1e-5);
}

TEST_F(GgufModel, BiasesThatNoLayerHasAreZero) {
  const c10::NoGradGuard no_grad;
  auto [model, tensors] = model_and_tensors();
  for (auto& parameter : model->named_parameters()) {
    if (parameter.name.ends_with("o_proj.bias") || parameter.name.ends_with("gate_proj.bias")) parameter.value.zero_();
  }
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const char* name : {"attn_output.bias", "ffn_gate.bias"}) tensors.erase(std::string(layer) + name);
  }
  const auto loaded = load_model(file(tensors));
  EXPECT_LT((logits(*loaded) - logits(*model)).abs().max().item<double>(), 1e-5);
  tensors.erase("blk.1.attn_q.bias");
  EXPECT_NE(fault(tensors).find("missing blk.1.attn_q.bias"), std::string::npos) << fault(tensors);
}

TEST_F(GgufModel, UnknownTensorsAreNamed) {
  auto tensors = model_and_tensors().second;
  tensors.emplace("output.bias", at::zeros({11}));
  EXPECT_NE(fault(tensors).find("unknown tensor output.bias"), std::string::npos) << fault(tensors);
  tensors.erase("output.bias");
  tensors.emplace("blk.1.attn_q_norm.weight", at::ones({4}));
  EXPECT_NE(fault(tensors).find("unknown tensor blk.1.attn_q_norm.weight"), std::string::npos) << fault(tensors);
  tensors.erase("blk.1.attn_q_norm.weight");
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const char* name : {"ffn_gate.bias", "ffn_up.bias", "ffn_down.bias"}) tensors.erase(std::string(layer) + name);
  }
  tensors.emplace("blk.1.ffn_up.bias", at::zeros({12}));
  EXPECT_NE(fault(tensors).find("unknown tensor blk.1.ffn_up.bias"), std::string::npos) << fault(tensors);
}

TEST_F(GgufModel, KeysThatChangeTheFunctionAreUsedOrRefused) {
  const auto tensors = model_and_tensors().second;
  const auto number = [](const char* key, float value) {
    return [=](GgufBytes& out) { return out.pair<float>(std::string("llama.") + key, 6, value), 1; };
  };
  const auto integer = [](const char* key, uint32_t value) {
    return [=](GgufBytes& out) { return out.pair<uint32_t>(std::string("llama.") + key, 4, value), 1; };
  };
  for (const char* key : {"rope.scale_linear", "rope.scaling.factor"}) {
    const auto rope = model_config_at(file(tensors, number(key, 4.0F))).rope;
    EXPECT_EQ(rope.type, RopeConfig::Type::kLinear) << key;
    EXPECT_EQ(rope.factor, 4.0) << key;
    EXPECT_EQ(model_config_at(file(tensors, number(key, 1.0F))).rope.type, RopeConfig::Type::kDefault) << key;
  }
  EXPECT_EQ(fault(tensors, integer("rope.dimension_count", 4)), "no error");
  EXPECT_NE(fault(tensors, integer("rope.dimension_count", 2)).find("rope.dimension_count to be the size of a head, 4"), std::string::npos);
  EXPECT_NE(fault(tensors, integer("attention.value_length", 8)).find("attention.value_length"), std::string::npos);
  EXPECT_NE(fault(tensors, integer("expert_count", 8)).find("llama.expert_count"), std::string::npos);
  EXPECT_EQ(fault(tensors, integer("expert_count", 0)), "no error");
  EXPECT_NE(fault(tensors, number("attention.scale", 0.5F)).find("llama.attention.scale"), std::string::npos);
  const auto adapter = [](GgufBytes& out) { return out.key("general.type", 8).string("adapter"), 1; };
  EXPECT_NE(fault(tensors, adapter).find("expected general.type model; got 'adapter'"), std::string::npos);
}

TEST_F(GgufModel, UnknownKeysAreNamedInOneWarning) {
  const auto tensors = model_and_tensors().second;
  const auto path = file(tensors, [](GgufBytes& out) {
    out.pair<uint32_t>("llama.attention.sliding_window", 4, 4)
        .pair<uint32_t>("llama.vocab_size", 4, 11)
        .pair<uint32_t>("somebody.else", 4, 1);
    return 3;
  });
  ::testing::internal::CaptureStderr();
  const auto read = model_config_at(path);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("not known here and not used: llama.attention.sliding_window\n"), std::string::npos) << log;
  EXPECT_TRUE(read.sliding_window.empty());
}

TEST_F(GgufModel, TurnsEndAtEveryEndToken) {
  const auto tensors = model_and_tensors().second;
  const auto path = file(tensors, [](GgufBytes& out) {
    out.pair<uint32_t>("tokenizer.ggml.eos_token_id", 4, 2).pair<uint32_t>("tokenizer.ggml.eot_token_id", 4, 9);
    out.pair<uint32_t>("tokenizer.ggml.eom_token_id", 4, 99);
    out.key("tokenizer.ggml.tokens", 9).raw<uint32_t>(8).raw<uint64_t>(5);
    for (const char* token : {"a", "<|im_end|>", "b", "c", "<|im_start|>"}) out.string(token);
    return 4;
  });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(model_config_at(path).eos_token_ids, (std::vector<int32_t>{2, 9, 1}));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("the id 99"), std::string::npos);
}

}  // namespace
}  // namespace grpo
