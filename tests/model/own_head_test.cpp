// A config that says its embeddings are tied, and a file with a head. Oracle: transformers 5, which ties them only where they are equal.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grpo/model/transformer.h"
#include "io/temp_folder.h"
#include "support/errors.h"
#include "support/packed.h"
#include "support/parity.h"

namespace grpo {
namespace {

class OwnHead : public testing::TempFolder {
 protected:
  static std::unique_ptr<Transformer> untied() {
    ModelConfig c;
    c.vocab_size = 11;
    c.hidden_size = 8;
    c.intermediate_size = 8;
    c.num_hidden_layers = 1;
    c.num_attention_heads = c.num_key_value_heads = 2;
    c.head_dim = 4;
    c.max_position_embeddings = 16;
    auto model = std::make_unique<Transformer>(c, at::kFloat, at::kCPU);
    init_weights(*model, 3);
    return model;
  }
  /// Saves the model with a config that says its embeddings are tied.
  void save_as_tied(Transformer& model) const {
    save_model(model, folder_, {.max_shard_bytes = 1000});
    auto config = testing::read_json(folder_ / "config.json");
    config["tie_word_embeddings"] = true;
    write("config.json", config.dump());
  }
  static at::Tensor& head(Transformer& model) {
    for (auto& parameter : names_ = model.named_parameters()) {
      if (parameter.name == "lm_head.weight") return parameter.value;
    }
    ADD_FAILURE() << "no head";
    return names_.front().value;
  }
  static inline std::vector<NamedParameter> names_;
};

TEST_F(OwnHead, IsUsedWhereItDiffers) {
  const auto model = untied();
  save_as_tied(*model);
  EXPECT_FALSE(model_config_at(folder_).tie_word_embeddings);
  const auto loaded = load_model(folder_);
  EXPECT_FALSE(loaded->config().tie_word_embeddings);
  const PackedTokens batch = testing::pack_sequences({{1, 2, 3, 4, 5}});
  EXPECT_TRUE(loaded->logits(batch).equal(model->logits(batch)));
  save_model(*loaded, folder_ / "again");
  EXPECT_EQ(testing::read_json(folder_ / "again" / "config.json").at("tie_word_embeddings"), false);
}

TEST_F(OwnHead, IsTheEmbeddingWhereItIsItsCopy) {
  const auto model = untied();
  {
    const c10::NoGradGuard no_grad;
    head(*model).copy_(model->named_parameters().front().value);
  }
  save_as_tied(*model);
  const auto loaded = load_model(folder_);
  EXPECT_TRUE(loaded->config().tie_word_embeddings);
  const PackedTokens batch = testing::pack_sequences({{1, 2, 3, 4, 5}});
  EXPECT_TRUE(loaded->logits(batch).equal(model->logits(batch)));
}

TEST_F(OwnHead, IsNotReadIntoATiedModel) {
  auto config = untied()->config();
  config.tie_word_embeddings = true;
  Transformer tied(config, at::kFloat, at::kCPU);
  init_weights(tied, 4);
  save_as_tied(*untied());
  EXPECT_NE(testing::message_of([&] { read_weights(tied, folder_); }).find("unknown tensor lm_head.weight"), std::string::npos);
}

}  // namespace
}  // namespace grpo
