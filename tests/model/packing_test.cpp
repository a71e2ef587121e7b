// Oracle: the model itself. A group that shares its prompt's rows must give what its sequences give one by one; both entrances to
// gradients, kept or recomputed, must agree.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "support/packed.h"

namespace grpo {
namespace {

ModelConfig config(bool tied, int64_t window) {
  ModelConfig c;
  c.model_type = "qwen3";
  c.vocab_size = 50;
  c.hidden_size = 24;
  c.intermediate_size = 40;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 6;
  c.num_key_value_heads = 2;
  c.head_dim = 8;
  c.max_position_embeddings = 64;
  c.tie_word_embeddings = tied;
  c.qk_norm = true;
  c.qkv_bias = true;
  if (window > 0) c.sliding_window = {window, 0};
  return c;
}

/// Loss of uneven weights, so that no two pairs can stand for each other.
at::Tensor weighted(const TokenOutputs& out, const at::Tensor& weights) { return ((out.logprobs + 0.1 * out.entropy) * weights).sum(); }

std::vector<at::Tensor> packed_gradients(Transformer& model) {
  std::vector<at::Tensor> result;
  for (auto* arena : model.parameters()) result.push_back(arena->flat_grad().clone());
  return result;
}

void clear(Transformer& model) {
  for (auto* arena : model.parameters()) arena->flat_grad().zero_();
}

void expect_close(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_GT(expected[i].abs().max().item<float>(), 0.0F);
    EXPECT_LE((got[i] - expected[i]).abs().max().item<float>(), 2e-5F * std::max(1.0F, expected[i].abs().max().item<float>()))
        << "arena " << i;
  }
}

class Packing : public ::testing::TestWithParam<std::tuple<bool, int64_t>> {};

TEST_P(Packing, ASharedPromptEqualsRepeatedPrompts) {
  Transformer model(config(std::get<0>(GetParam()), std::get<1>(GetParam())), at::kFloat, at::kCPU);
  init_weights(model, 7);
  const std::vector<int32_t> prompt = {3, 1, 4, 1, 5};
  const std::vector<std::vector<int32_t>> completions = {{9, 2, 6}, {5}, {3, 5, 8, 9, 7, 9}};
  const PackedTokens grouped = testing::pack_group(prompt, completions);
  PackedTokens repeated;
  for (const auto& completion : completions) repeated = testing::pack_group(prompt, {completion}, repeated);
  ASSERT_LT(grouped.num_tokens(), repeated.num_tokens());
  const at::Tensor weights = at::linspace(-1.0, 1.5, 10);

  std::vector<std::vector<at::Tensor>> results;
  for (const PackedTokens& batch : {grouped, repeated}) {
    clear(model);
    const TokenOutputs out = model.logprobs(batch, {.temperature = 0.9, .entropy = true});
    weighted(out, weights).backward();
    results.push_back(packed_gradients(model));
    results.back().push_back(out.logprobs.detach());
  }
  expect_close(results[0], results[1]);
}

TEST_P(Packing, LayerByLayerEqualsAutograd) {
  Transformer model(config(std::get<0>(GetParam()), std::get<1>(GetParam())), at::kFloat, at::kCPU);
  init_weights(model, 8);
  const PackedTokens batch = testing::pack_group({1, 2, 3}, {{4, 5}, {6, 7, 8}}, testing::pack_sequences({{9, 10, 11, 12}}));
  const at::Tensor weights = at::linspace(-1.0, 1.5, 8);
  clear(model);
  const at::Tensor loss = weighted(model.logprobs(batch, {.entropy = true}), weights);
  loss.backward();
  const auto expected = packed_gradients(model);
  for (const auto recompute : {Recompute::kNone, Recompute::kAll, Recompute::kAuto}) {
    clear(model);
    const at::Tensor again =
        model.forward_backward(batch, [&](const TokenOutputs& out) { return weighted(out, weights); }, {.recompute = recompute});
    EXPECT_NEAR(again.item<double>(), loss.item<double>(), 1e-5);
    expect_close(packed_gradients(model), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(TiedAndWindow, Packing, ::testing::Combine(::testing::Bool(), ::testing::Values(0, 3)));

TEST(Transformer, RefusesALossThatIsNoScalar) {
  Transformer model(config(true, 0), at::kFloat, at::kCPU);
  init_weights(model, 9);
  EXPECT_THROW(model.forward_backward(testing::pack_sequences({{1, 2, 3}}), [](const TokenOutputs& out) { return out.logprobs; }), Error);
}

}  // namespace
}  // namespace grpo
