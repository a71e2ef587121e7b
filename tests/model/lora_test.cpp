// Oracles: PEFT's float32 logits, merged logits and gradients (parity/models/*/lora_adapter/golden*), the other entrance to gradients, the
// base model's own numbers.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <fstream>

#include "grpo/core/error.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "support/checkpoints.h"
#include "support/errors.h"
#include "support/packed.h"
#include "support/parity.h"

namespace grpo {
namespace {

using Json = nlohmann::json;
using testing::pack_sequences;
namespace fs = std::filesystem;

at::Tensor tensor(const fs::path& file, const std::string& name) {
  const auto tensors = Safetensors::open(file);
  const TensorEntry* entry = tensors.find(name);
  EXPECT_NE(entry, nullptr) << name;
  at::Tensor values = at::empty(entry->shape, at::kFloat);
  convert_to_float(entry->bytes.data(), entry->dtype, values.data_ptr<float>(), entry->numel());
  return values;
}

/// Every checkpoint with an adapter inside.
std::vector<fs::path> adapted() {
  std::vector<fs::path> found;
  for (const auto& folder : testing::checkpoints()) {
    if (fs::exists(folder / "lora_adapter" / "golden.json")) found.push_back(folder);
  }
  EXPECT_FALSE(found.empty()) << "no checkpoint has a lora_adapter";
  return found;
}

std::vector<std::vector<int32_t>> sequences_of(const fs::path& adapter) {
  return testing::read_json(adapter / "golden.json").at("sequences").get<std::vector<std::vector<int32_t>>>();
}

/// Largest difference to the padded golden logits.
double worst_logit(Transformer& model, const fs::path& adapter, const std::string& name) {
  const auto sequences = sequences_of(adapter);
  const at::Tensor got = model.logits(pack_sequences(sequences)).detach(), expected = tensor(adapter / "golden.safetensors", name);
  double worst = 0.0;
  int64_t row = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto length = static_cast<int64_t>(sequences[i].size());
    const at::Tensor difference = got.narrow(0, row, length) - expected[static_cast<int64_t>(i)].narrow(0, 0, length);
    worst = std::max(worst, difference.abs().max().item<double>());
    row += length;
  }
  return worst;
}

TEST(ParityLora, LogitsWithAdapterMergedAndWithout) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const auto& folder : adapted()) {
    SCOPED_TRACE(folder.filename().string());
    const fs::path adapter = folder / "lora_adapter";
    const auto model = load_model(folder);
    EXPECT_LT(worst_logit(*model, adapter, "logits_base"), 2e-4);
    load_adapter(*model, adapter);
    EXPECT_LT(worst_logit(*model, adapter, "logits_adapter"), 2e-4);
    EXPECT_GT(worst_logit(*model, adapter, "logits_base"), 1.0);
    merge_adapter(*model);
    EXPECT_FALSE(model->has_adapter());
    EXPECT_LT(worst_logit(*model, adapter, "logits_merged"), 2e-4);
  }
}

void expect_gradients(const fs::path& adapter, Transformer& model) {
  for (const auto& parameter : model.adapter_parameters()) {
    const at::Tensor expected = tensor(adapter / "golden_grads.safetensors", parameter.name);
    EXPECT_TRUE(at::allclose(parameter.grad, expected, 1e-3, 1e-4)) << parameter.name;
  }
}

TEST(ParityLora, GradientsByBothEntrances) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const auto& folder : adapted()) {
    SCOPED_TRACE(folder.filename().string());
    const fs::path adapter = folder / "lora_adapter";
    const double golden = testing::read_json(adapter / "golden.json").at("loss_adapter").get<double>();
    const auto model = load_model(folder);
    load_adapter(*model, adapter);
    const PackedTokens batch = pack_sequences(sequences_of(adapter));
    for (auto* arena : model->trainable()) arena->flat_grad();
    const at::Tensor loss = model->logprobs(batch).logprobs.mean().neg();
    loss.backward();
    EXPECT_NEAR(loss.item<float>(), golden, 1e-5);
    expect_gradients(adapter, *model);
    for (const auto recompute : {Recompute::kNone, Recompute::kAll}) {
      for (auto* arena : model->trainable()) arena->zero_grad();
      const at::Tensor again =
          model->forward_backward(batch, [](const TokenOutputs& out) { return out.logprobs.mean().neg(); }, {.recompute = recompute});
      EXPECT_NEAR(again.item<float>(), golden, 1e-5);
      expect_gradients(adapter, *model);
    }
    for (auto* arena : model->parameters()) EXPECT_FALSE(arena->has_grad()) << arena->name();
  }
}

TEST(ParityLora, SavedFolderHasPeftsNamesAndLoadsToEqualAdapters) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const auto& folder : adapted()) {
    SCOPED_TRACE(folder.filename().string());
    const fs::path adapter = folder / "lora_adapter", saved = fs::path(::testing::TempDir()) / "saved-adapter";
    const auto model = load_model(folder), again = load_model(folder);
    load_adapter(*model, adapter);
    save_adapter(*model, saved, folder.string());
    const auto expected = Safetensors::open(adapter / "adapter_model.safetensors"),
               got = Safetensors::open(saved / "adapter_model.safetensors");
    ASSERT_EQ(got.tensors().size(), expected.tensors().size());
    for (size_t i = 0; i < got.tensors().size(); ++i) {
      EXPECT_EQ(got.tensors()[i].name, expected.tensors()[i].name);
      EXPECT_EQ(got.tensors()[i].shape, expected.tensors()[i].shape);
    }
    const auto before = testing::read_json(adapter / "adapter_config.json"), after = testing::read_json(saved / "adapter_config.json");
    for (const char* key : {"r", "lora_alpha", "peft_type", "task_type", "bias", "use_rslora", "fan_in_fan_out"})
      EXPECT_EQ(after.at(key), before.at(key)) << key;
    EXPECT_EQ(lora_base(saved), folder);
    load_adapter(*again, saved);
    const auto a = model->adapter_parameters(), b = again->adapter_parameters();
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].value.equal(b[i].value)) << a[i].name;
    fs::remove_all(saved);
  }
}

ModelConfig small() {
  ModelConfig c;
  c.vocab_size = 19;
  c.hidden_size = 16;
  c.intermediate_size = 24;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 4;
  c.num_key_value_heads = 2;
  c.head_dim = 4;
  c.max_position_embeddings = 32;
  return c;
}

std::unique_ptr<Transformer> new_model(uint64_t seed = 1) {
  auto model = std::make_unique<Transformer>(small(), at::kFloat, at::kCPU);
  init_weights(*model, seed);
  return model;
}

TEST(Lora, NewAdaptersLeaveTheModelAsItWasAndAdapterOffIsTheBase) {
  const auto model = new_model();
  const PackedTokens batch = pack_sequences({{3, 1, 4, 1, 5, 9, 2, 6}});
  const at::Tensor base = model->logprobs(batch).logprobs.detach();
  const int64_t version = model->version();
  model->add_adapter({.rank = 2, .target_modules = {"q_proj", "v_proj", "down_proj"}});
  init_adapter(*model, 7);
  EXPECT_GT(model->version(), version);
  EXPECT_TRUE(model->logprobs(batch).logprobs.equal(base));
  for (auto& parameter : model->adapter_parameters()) parameter.value.add_(0.3);
  EXPECT_GT((model->logprobs(batch).logprobs - base).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(model->logprobs(batch, {.adapter = false}).logprobs.equal(base));
}

TEST(Lora, OnlyTargetModulesHaveAdapters) {
  const auto model = new_model();
  model->add_adapter({.rank = 3, .target_modules = {"up_proj", "k_proj"}});
  std::vector<std::string> names;
  for (const auto& parameter : model->adapter_parameters()) names.push_back(parameter.name);
  const std::string base = "base_model.model.model.layers.";
  EXPECT_EQ(names.size(), 8U);
  EXPECT_EQ(names.front(), base + "0.self_attn.k_proj.lora_A.weight");
  EXPECT_EQ(names.back(), base + "1.mlp.up_proj.lora_B.weight");
  EXPECT_EQ(model->trainable().size(), 2U);
}

// Oracles: w · h by ATen from the hidden states, and autograd through the other entrance. A pass may ask for values alone.
TEST(ValueHead, GivesValuesAndGradientsByBothEntrances) {
  const auto model = new_model();
  model->add_value_head();
  ParameterArena& head = *model->value_head();
  {
    const c10::NoGradGuard no_grad;
    at::Tensor(head.flat()).normal_();
  }
  const PackedTokens batch = pack_sequences({{3, 1, 4, 1, 5, 9, 2, 6}, {7, 7, 8}});
  const at::Tensor hidden = model->hidden_states(batch).detach();
  const at::Tensor values = model->logprobs(batch, {.logprobs = false, .values = true}).values;
  std::vector<int64_t> rows(batch.rows.begin(), batch.rows.end());
  EXPECT_TRUE(at::allclose(values.detach(), at::mv(hidden.index_select(0, at::tensor(rows)), head.leaf(0).detach()[0]), 1e-4, 1e-5));

  auto arenas = model->parameters();
  arenas.push_back(&head);
  for (auto* arena : arenas) arena->flat_grad();
  values.square().sum().backward();
  std::vector<at::Tensor> expected;
  for (auto* arena : arenas) {
    expected.push_back(arena->flat_grad().clone());
    arena->zero_grad();
  }
  EXPECT_GT(expected.back().abs().max().item<double>(), 0.0);
  const auto loss = [](const TokenOutputs& out) {
    EXPECT_FALSE(out.logprobs.defined());
    return out.values.square().sum();
  };
  model->forward_backward(batch, loss, {.logprobs = false, .values = true});
  for (size_t i = 0; i < arenas.size(); ++i) EXPECT_TRUE(at::allclose(arenas[i]->flat_grad(), expected[i], 1e-4, 1e-5)) << i;
}

TEST(Lora, BadInputIsNamed) {
  const fs::path folder = fs::path(::testing::TempDir()) / "bad-adapter";
  fs::remove_all(folder);
  const auto model = new_model();
  model->add_adapter({.rank = 2});
  init_adapter(*model, 1);
  save_adapter(*model, folder, "");
  EXPECT_TRUE(lora_base(folder).empty());
  const auto config = testing::read_json(folder / "adapter_config.json");
  const auto with = [&](const std::string& key, const nlohmann::json& value) {
    auto changed = config;
    changed[key] = value;
    std::ofstream(folder / "adapter_config.json") << changed.dump();
  };
  const auto load = [&] {
    const auto fresh = new_model();
    const auto text = testing::message_of([&] { load_adapter(*fresh, folder); });
    EXPECT_FALSE(fresh->has_adapter()) << "after: " << text;
    return text;
  };
  with("r", 3);
  EXPECT_NE(load().find("of shape [3, 16], got [2, 16]"), std::string::npos) << load();
  with("use_dora", true);
  EXPECT_NE(load().find("use_dora"), std::string::npos) << load();
  with("bias", "all");
  EXPECT_NE(load().find("bias"), std::string::npos) << load();
  with("peft_type", "IA3");
  EXPECT_NE(load().find("LORA"), std::string::npos) << load();
  with("target_modules", {"q_proj", "embed_tokens"});
  EXPECT_NE(load().find("embed_tokens"), std::string::npos) << load();
  for (const Json& start : {Json("pissa"), Json("pissa_niter_16"), Json("olora"), Json("corda"), Json("loftq"), Json("later")}) {
    with("init_lora_weights", start);
    EXPECT_NE(load().find("changed the base when the adapter was made"), std::string::npos) << start << load();
  }
  with("r", 2.5);
  EXPECT_NE(load().find("expected an integer of 64 bits for 'r'; got 2.5"), std::string::npos) << load();
  with("alora_invocation_tokens", {1, 2});
  EXPECT_NE(load().find("alora_invocation_tokens"), std::string::npos) << load();
  std::ofstream(folder / "adapter_config.json") << std::string(200000, '[');
  EXPECT_NE(load().find("nested at most 200 deep"), std::string::npos) << load();
  std::ofstream(folder / "adapter_config.json") << config.dump();

  auto other = small();
  other.intermediate_size = 25;
  Transformer wide(other, at::kFloat, at::kCPU);
  EXPECT_NE(testing::message_of([&] { load_adapter(wide, folder); }).find("up_proj"), std::string::npos);

  const auto fewer = new_model();
  fewer->add_adapter({.rank = 2, .target_modules = {"q_proj"}});
  save_adapter(*fewer, folder, "");
  with("target_modules", {"q_proj", "up_proj"});
  EXPECT_NE(load().find("missing base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"), std::string::npos) << load();

  EXPECT_NE(testing::message_of([&] { model->add_adapter({.rank = 2}); }).find("without LoRA"), std::string::npos);
  const auto text = testing::message_of([] { validate(LoraConfig{.rank = -1, .dropout = 0.1, .target_modules = {"q_prj", "lm_head"}}); });
  for (const char* part : {"rank", "dropout", "did you mean 'q_proj'", "lm_head"}) EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_NE(testing::message_of([&] { model->set_compute({.exact = true}); }).find("exact"), std::string::npos);
  fs::remove_all(folder);
}

// Oracle: PEFT, which warns of keys that it does not know; ways to begin that leave the base alone load.
TEST(Lora, UnknownKeysAreNamedInAWarning) {
  const fs::path folder = fs::path(::testing::TempDir()) / "adapter-keys";
  fs::remove_all(folder);
  const auto model = new_model();
  model->add_adapter({.rank = 2});
  init_adapter(*model, 1);
  save_adapter(*model, folder, "");
  auto config = testing::read_json(folder / "adapter_config.json");
  const auto log_of = [&] {
    std::ofstream(folder / "adapter_config.json") << config.dump();
    ::testing::internal::CaptureStderr();
    load_adapter(*new_model(), folder);
    return ::testing::internal::GetCapturedStderr();
  };
  config.update({{"init_lora_weights", "gaussian"}, {"loftq_config", Json::object()}, {"peft_version", "0.18"}});
  EXPECT_EQ(log_of(), "");
  config["lora_beta"] = 3;
  EXPECT_NE(log_of().find("adapter_config.json: not known here and not used: 'lora_beta'"), std::string::npos);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace grpo
