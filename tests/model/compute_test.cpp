// Oracle: the same model computed in float32. bf16 keeps 8 bits of a number, so that products of rounded operands are within a few
// thousandths; what is learnt must be the same.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "support/packed.h"

namespace grpo {
namespace {

ModelConfig config() {
  ModelConfig c;
  c.vocab_size = 61;
  c.hidden_size = 48;
  c.intermediate_size = 80;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 4;
  c.num_key_value_heads = 2;
  c.head_dim = 12;
  c.max_position_embeddings = 64;
  c.tie_word_embeddings = true;
  c.qkv_bias = true;
  return c;
}

std::unique_ptr<Transformer> model_of(at::ScalarType compute) {
  auto model = std::make_unique<Transformer>(config(), at::kFloat, at::kCPU);
  init_weights(*model, 11);
  model->set_compute({.dtype = compute});
  return model;
}

PackedTokens batch() {
  return testing::pack_group({1, 2, 3, 4}, {{5, 6, 7, 8, 9}, {10, 11, 12}}, testing::pack_sequences({{13, 14, 15, 16, 17, 18, 19}}));
}

at::Tensor mean_loss(const TokenOutputs& out) { return -out.logprobs.mean(); }

std::vector<at::Tensor> gradients(Transformer& model) {
  for (auto* arena : model.parameters()) arena->flat_grad().zero_();
  model.forward_backward(batch(), mean_loss);
  std::vector<at::Tensor> result;
  for (auto* arena : model.parameters()) result.push_back(arena->flat_grad().clone());
  return result;
}

TEST(Compute, Bfloat16GradientsAreNearFloat32) {
  const auto exact = gradients(*model_of(at::kFloat)), rounded = gradients(*model_of(at::kBFloat16));
  for (size_t i = 0; i < exact.size(); ++i) {
    const double error = ((rounded[i] - exact[i]).norm() / exact[i].norm()).item<double>();
    EXPECT_LT(error, 0.02) << "arena " << i;
    EXPECT_GT(error, 1e-5) << "arena " << i;  // products are rounded indeed
  }
}

TEST(Compute, Bfloat16EntrancesAgree) {
  const auto model = model_of(at::kBFloat16);
  const auto expected = gradients(*model);
  for (auto* arena : model->parameters()) arena->flat_grad().zero_();
  mean_loss(model->logprobs(batch())).backward();
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LT((model->parameters()[i]->flat_grad() - expected[i]).abs().max().item<double>(), 1e-5) << "arena " << i;
  }
}

double loss_after(at::ScalarType compute, int64_t steps) {
  const auto model = model_of(compute);
  AdamW optimizer(model->parameters(), {.learning_rate = 3e-3, .weight_decay = 0.0, .max_grad_norm = 1.0});
  double loss = 0.0;
  for (int64_t step = 0; step <= steps; ++step) {
    optimizer.zero_grad();
    loss = model->forward_backward(batch(), mean_loss).item<double>();
    optimizer.step(3e-3);
  }
  return loss;
}

TEST(Compute, Bfloat16LearnsAsFloat32Does) {
  const double start = loss_after(at::kFloat, 0), exact = loss_after(at::kFloat, 25), rounded = loss_after(at::kBFloat16, 25);
  EXPECT_LT(exact, 0.5 * start);
  EXPECT_NEAR(rounded, exact, 0.05 * start);
}

TEST(Compute, RefusesWhatItCannotDo) {
  const auto model = model_of(at::kFloat);
  EXPECT_THROW(model->set_compute({.dtype = at::kHalf}), Error);
  EXPECT_THROW(model->set_compute({.dtype = at::kBFloat16, .exact = true}), Error);
}

}  // namespace
}  // namespace grpo
