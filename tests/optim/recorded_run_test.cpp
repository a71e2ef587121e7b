// A short training run ends with the same weights on an instruction set, whatever compiled it and whichever further instructions the
// machine has. Oracle: bits recorded with g++ 12.
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/loss.h"
#include "grpo/core/random.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/rollout/engine.h"

namespace grpo {
namespace {

/// What the sampler computes in (the trainer in bfloat16 but for float32), and FNV-1a of the weights after three steps.
struct RecordedRun {
  std::string_view isa, type;
  uint64_t bits;
};

// Recorded on x86-64 with glibc 2.36. A change of arithmetic, of the random streams or of a default changes rows: the failing test prints
// the new ones.
// clang-format off
constexpr RecordedRun kRecordedRuns[] = {
    {"avx2", "bfloat16", 0xc88d4b36ccb7beb2U},
    {"avx2", "float32", 0xcea643936b1941dbU},
    {"avx2", "int8", 0x23acc7cf13db3c36U},
    {"avx512", "bfloat16", 0xd2019f2f980750a0U},
    {"avx512", "float32", 0xed43e4a76792328aU},
    {"avx512", "int8", 0xad267fd50b98831fU},
    {"avx512bf16", "bfloat16", 0xa5d9ee2093497ca2U},
    {"avx512bf16", "float32", 0xed43e4a76792328aU},
    {"avx512bf16", "int8", 0xf547acf650e2554aU},
    {"avx512vnni", "bfloat16", 0xd2019f2f980750a0U},
    {"avx512vnni", "float32", 0xed43e4a76792328aU},
    {"avx512vnni", "int8", 0xad267fd50b98831fU},
    {"scalar", "bfloat16", 0x163202764b57d199U},
    {"scalar", "float32", 0x0ece89df339b3eb9U},
    {"scalar", "int8", 0xd414226b3e4cc856U},
};
// clang-format on

/// While one lives, these kernels are in use, by one thread.
class With {
 public:
  explicit With(const kernels::CpuKernels& kernels) : kernels_(kernels), threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~With() { omp_set_num_threads(threads_); }
  With(const With&) = delete;

 private:
  kernels::UseCpuKernels kernels_;
  int threads_;
};

/// Sizes that no vector divides.
ModelConfig small_model() {
  ModelConfig config;
  config.vocab_size = 53;
  config.hidden_size = 44;
  config.intermediate_size = 70;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 10;
  config.max_position_embeddings = 64;
  config.qk_norm = true;
  config.initializer_range = 0.2;
  return config;
}

std::vector<Prompt> prompts() {
  Random random(3);
  std::vector<Prompt> made(2);
  for (int64_t problem = 0; problem < 2; ++problem) {
    Prompt& prompt = made[static_cast<size_t>(problem)];
    prompt.problem = problem;
    for (int64_t i = 0; i < 5 + 9 * problem; ++i) prompt.ids.push_back(static_cast<int32_t>(random.uniform_int(0, 52)));
  }
  return made;
}

/// The share of even ids.
double reward(const Rollout& rollout) {
  double even = 0;
  for (const int32_t id : rollout.ids) even += id % 2 == 0 ? 1 : 0;
  return even / static_cast<double>(rollout.ids.size());
}

/// One step of GRPO. Ratios are exp(0), and the sampler's are left out, so that torch computes nothing whose rounding its own instruction
/// set decides.
void step(Transformer& model, RolloutEngine& engine, AdamW& optimizer, uint64_t number) {
  SamplingParams sampling;
  sampling.num_generations = 6;
  sampling.max_completion_length = 17;
  const auto rollouts = engine.generate(prompts(), sampling, {.seed = 1, .step = number});
  std::vector<double> rewards;
  std::vector<int64_t> groups;
  for (const Rollout& rollout : rollouts) {
    rewards.push_back(reward(rollout));
    groups.push_back(rollout.group);
  }
  const Batch batch = make_batch(rollouts, group_advantages(at::tensor(at::ArrayRef<double>(rewards)), groups));
  const LossNormalizer normalizer = loss_normalizer(batch, sampling.max_completion_length);
  LossConfig config;
  config.importance_sampling_correction = false;
  optimizer.zero_grad();
  for (const Batch& part : batch.split({.max_tokens = 100})) {
    model.forward_backward(part,
                           [&](const TokenOutputs& tokens) { return policy_loss(tokens.logprobs, {}, part, normalizer, config).loss; });
  }
  ASSERT_TRUE(optimizer.step().applied);
}

uint64_t bits_of(Transformer& model) {
  uint64_t hash = 14695981039346656037U;
  for (const NamedParameter& parameter : model.named_parameters()) {
    const at::Tensor values = parameter.value.contiguous();
    const auto* bytes = static_cast<const unsigned char*>(values.const_data_ptr());
    for (size_t i = 0; i < values.nbytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
  }
  return hash;
}

uint64_t run(at::ScalarType trainer, ComputeDType sampler) {
  Transformer model(small_model(), at::kFloat, at::kCPU);
  init_weights(model, 0);
  model.set_compute({.dtype = trainer});
  RolloutEngine engine(model, {.compute_dtype = sampler});
  OptimConfig config;
  config.learning_rate = 1e-2;
  config.weight_decay = 0.1;
  AdamW optimizer(model.trainable(), config);
  const uint64_t begun = bits_of(model);
  for (uint64_t number = 0; number < 3; ++number) step(model, engine, optimizer, number);
  EXPECT_NE(bits_of(model), begun);
  return bits_of(model);
}

class RecordedRuns : public ::testing::TestWithParam<kernels::CpuKernels> {};

TEST_P(RecordedRuns, EndWithTheRecordedWeights) {
  struct Kind {
    std::string_view type;
    at::ScalarType trainer;
    ComputeDType sampler;
  };
  const With with(GetParam());
  const std::string isa(GetParam().isa);
  for (const Kind& kind : {Kind{"float32", at::kFloat, ComputeDType::kFloat32}, Kind{"bfloat16", at::kBFloat16, ComputeDType::kBFloat16},
                           Kind{"int8", at::kBFloat16, ComputeDType::kInt8}}) {
    const uint64_t bits = run(kind.trainer, kind.sampler);
    bool same = false;
    for (const RecordedRun& row : kRecordedRuns) same = same || (row.isa == isa && row.type == kind.type && row.bits == bits);
    EXPECT_TRUE(same) << kind.type;
    if (!same) {
      std::printf("what was computed:\n    {\"%s\", \"%s\", 0x%016llxU},\n", isa.c_str(), std::string(kind.type).c_str(),
                  static_cast<unsigned long long>(bits));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, RecordedRuns, ::testing::ValuesIn(kernels::available_cpu_kernels()),
                         [](const auto& isa) { return std::string(isa.param.isa); });

}  // namespace
}  // namespace grpo
