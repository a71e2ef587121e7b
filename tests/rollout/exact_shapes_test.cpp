// Oracle: the decode engine, as in exact_test.cpp, for random shapes and on every instruction set that this machine has.
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "dispatch.h"
#include "grpo/core/random.h"
#include "rollout/exact_support.h"

namespace grpo {
namespace {

/// Heads of `head_dim` in groups of odd size, and widths that no vector divides; families' options by chance.
ModelConfig random_config(Random& random, int64_t head_dim) {
  const auto odd = [&random](int64_t low, int64_t high) { return 2 * random.uniform_int(low / 2, high / 2) + 1; };
  const auto chance = [&random] { return random.uniform_int(0, 1) == 1; };
  ModelConfig config;
  config.vocab_size = odd(50, 700);
  config.hidden_size = odd(5, 60);
  config.intermediate_size = odd(5, 80);
  config.num_hidden_layers = 2;
  config.num_key_value_heads = random.uniform_int(1, 2);
  config.num_attention_heads = config.num_key_value_heads * odd(1, 5);
  config.head_dim = head_dim;
  config.max_position_embeddings = 200;
  config.qkv_bias = chance();
  config.output_bias = chance();
  config.mlp_bias = chance();
  config.qk_norm = chance();
  config.tie_word_embeddings = chance();
  if (chance()) config.sliding_window = {odd(3, 60), 0};
  return config;
}

/// Matrices, norms and biases that leave no sum trivial: scores and logits of about 1.
void randomise(Transformer& model, Random& random) {
  const c10::NoGradGuard no_grad;
  for (const auto& parameter : model.named_parameters()) {
    const bool norm = parameter.name.find("norm") != std::string::npos, matrix = parameter.value.dim() == 2;
    const double spread = matrix ? 1.5 / std::sqrt(static_cast<double>(parameter.value.size(1))) : 0.2;
    at::Tensor values = at::empty_like(parameter.value);
    for (int64_t i = 0; i < values.numel(); ++i)
      values.data_ptr<float>()[i] = static_cast<float>((norm ? 1.0 : 0.0) + spread * random.normal());
    parameter.value.copy_(values);
  }
}

std::string described(const ModelConfig& c) {
  const auto yes = [](bool value, const char* name) { return value ? std::string(" ") + name : std::string(); };
  return "head_dim " + std::to_string(c.head_dim) + " heads " + std::to_string(c.num_attention_heads) + "/" +
         std::to_string(c.num_key_value_heads) + " hidden " + std::to_string(c.hidden_size) + " intermediate " +
         std::to_string(c.intermediate_size) + " vocabulary " + std::to_string(c.vocab_size) + " window " + std::to_string(c.window(0)) +
         yes(c.qkv_bias, "qkv_bias") + yes(c.output_bias, "output_bias") + yes(c.mlp_bias, "mlp_bias") + yes(c.qk_norm, "qk_norm") +
         yes(c.tie_word_embeddings, "tied");
}

class ExactShapes : public ::testing::TestWithParam<kernels::CpuKernels> {};

TEST_P(ExactShapes, TrainingLogprobsAreTheSamplers) {
  const kernels::UseCpuKernels use(GetParam());
  const unsigned seed = std::random_device{}();
  Random random(seed);
  std::vector<int64_t> head_dims;
  for (int64_t head_dim = 8; head_dim <= 256; head_dim += 8) head_dims.push_back(head_dim);
  for (int i = 0; i < 4; ++i) head_dims.push_back(2 * random.uniform_int(1, 130));
  for (const int64_t head_dim : head_dims) {
    const ModelConfig config = random_config(random, head_dim);
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ": " << described(config));
    Transformer model(config, at::kFloat, at::kCPU);
    randomise(model, random);
    testing::expect_equal_bits(model,
                               {.seed = seed, .temperature = 0.5 + random.uniform(), .max_completion_length = random.uniform_int(1, 40)});
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ExactShapes, ::testing::ValuesIn(kernels::available_cpu_kernels()),
                         [](const auto& isa) { return std::string(isa.param.isa); });

}  // namespace
}  // namespace grpo
