// The decode engine over the CUDA back end, on a GPU or executed on the host. Oracle: the CPU back end over the same weights.
#include "grpo/rollout/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "decode_cuda.h"
#include "grpo/core/error.h"
#include "kernels/cuda/order.h"
#include "rollout/cuda/device_model.h"
#include "rollout/engine_fixture.h"

namespace grpo {
namespace {

using testing::add_some_lora;
using testing::DeviceModel;
using testing::Family;
using testing::kFamilies;
using testing::short_params;
using testing::some_prompts;
using testing::toy_config;
using testing::ToyModel;

constexpr float kTolerance = 4e-5F;  // both round in fp32, in different orders

std::vector<Rollout> sample(ToyModel& model, ModelView::Device device, const SamplingParams& params, const EngineOptions& options = {}) {
  kernels::testing::set_order(std::random_device{}());
  const auto generate = [&](const ModelView& view) {
    RolloutEngine engine(
        view, [] { return int64_t{7}; }, options);
    return engine.generate(some_prompts(model.config.vocab_size), params, {.seed = 9, .step = 4});
  };
  return device == ModelView::Device::kCpu ? generate(model.view) : generate(DeviceModel(model.view).view);
}

SamplingParams cool_params(int64_t generations = 3, int64_t length = 20) {
  SamplingParams params = short_params(generations, length);
  params.temperature = 0.8;
  return params;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t t = 0; t < a.size(); ++t) ASSERT_NEAR(a[t], b[t], tolerance);
}

void expect_equal(const std::vector<Rollout>& a, const std::vector<Rollout>& b, float tolerance = kTolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].ids, b[i].ids);
    EXPECT_EQ(a[i].finish, b[i].finish);
    expect_near(a[i].logprobs, b[i].logprobs, tolerance);
    expect_near(a[i].processed_logprobs, b[i].processed_logprobs, tolerance);
  }
}

void expect_agreement(ToyModel& model, const SamplingParams& params, const EngineOptions& options = {}) {
  const auto expected = sample(model, ModelView::Device::kCpu, params, options);
  ASSERT_EQ(expected.size(), 7U * static_cast<size_t>(params.num_generations));
  expect_equal(sample(model, ModelView::Device::kCuda, params, options), expected);
}

class CudaEngineFamilies : public ::testing::TestWithParam<Family> {};

TEST_P(CudaEngineFamilies, AgreeWithTheCpu) {
  ModelConfig config = toy_config();
  GetParam().change(config);
  ToyModel model(config, 3);
  expect_agreement(model, cool_params(2, 12));
  SamplingParams greedy = cool_params(1, 12);
  greedy.temperature = 0.0;
  expect_agreement(model, greedy);
}

INSTANTIATE_TEST_SUITE_P(All, CudaEngineFamilies, ::testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param.name); });

TEST(CudaEngine, AppliesLoraBesideTheWeights) {
  ToyModel model(toy_config(), 4);
  add_some_lora(model);
  expect_agreement(model, cool_params(2, 8));
}

class CudaEngineSchedules : public ::testing::TestWithParam<EngineOptions> {};

// Property: slots, refills, prompt chunks and buckets leave no trace in the samples.
TEST_P(CudaEngineSchedules, SamplesDoNotDependOnTheSchedule) {
  ModelConfig config = toy_config();
  config.sliding_window = {0, 21};
  ToyModel model(config, 3);
  SamplingParams params = cool_params(3, 24);
  params.stop_ids = {1, 2};
  const auto expected = sample(model, ModelView::Device::kCpu, params);
  const auto found = sample(model, ModelView::Device::kCuda, params, GetParam());
  expect_equal(found, expected);
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const Rollout& r) { return r.finish == FinishReason::kStop; }));
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const Rollout& r) { return r.finish == FinishReason::kLength; }));
}

INSTANTIATE_TEST_SUITE_P(Schedules, CudaEngineSchedules,
                         ::testing::Values(EngineOptions{.max_slots = 1, .prefill_tokens = 1},
                                           EngineOptions{.max_slots = 3, .prefill_tokens = 5},
                                           EngineOptions{.max_slots = 9, .prefill_tokens = 64}, EngineOptions{}));

// Oracle: the same samples without a pause. A matrix product may round differently for other numbers of rows.
TEST(CudaEngine, PausesLeaveNoTrace) {
  ToyModel model(toy_config(), 3);
  const DeviceModel there(model.view);
  RolloutEngine engine(there.view, [] { return int64_t{7}; }, {.max_slots = 4});
  SamplingParams params = cool_params(2, 14);
  params.repetition_penalty = 1.2;
  params.stop_ids = {4};
  const RolloutKey key{.seed = 9, .step = 4};
  GenerateContext context;
  context.max_new_tokens = 5;
  auto found = engine.generate(some_prompts(37), params, key, context);
  for (Rollout& rollout : found) {
    while (rollout.finish == FinishReason::kPaused) {
      const std::vector<Prompt> prompts = {resumed(rollout, key)};
      rollout = engine.generate(prompts, params, {}, context).front();
    }
  }
  expect_equal(found, engine.generate(some_prompts(37), params, key));
}

// Samples take pages as they grow, and the youngest leave their slots where the budget is used up.
TEST(CudaEngine, PagesUsedUpLeaveNoTrace) {
  ModelConfig config = toy_config();
  config.max_position_embeddings = 300;
  config.sliding_window = {0, 70};
  ToyModel model(config, 3, 0.1F);
  const DeviceModel there(model.view);
  Random random(5);
  std::vector<Prompt> prompts;
  for (const int length : {70, 3}) {
    Prompt& prompt = prompts.emplace_back();
    prompt.problem = length;
    for (int i = 0; i < length; ++i) prompt.ids.push_back(static_cast<int32_t>(random.uniform_int(0, config.vocab_size - 1)));
  }
  const SamplingParams params = cool_params(2, 135);
  RolloutEngine engine(model.view, [] { return int64_t{7}; }, {});
  const auto expected = engine.generate(prompts, params, {.seed = 9});
  const int64_t page = 4 * kernels::kv_page_elements(config.num_hidden_layers, config.num_key_value_heads, config.head_dim);  // bytes
  kernels::testing::set_order(std::random_device{}());
  RolloutEngine tight(there.view, [] { return int64_t{7}; }, {.kv_budget_bytes = 5 * page});  // of the longest prompt and completion
  expect_equal(tight.generate(prompts, params, {.seed = 9}), expected);
}

TEST(CudaEngine, ReshapedDistributionsAgreeWithTheCpu) {
  ToyModel model(toy_config(), 6, 0.2F);
  SamplingParams params = cool_params(2, 10);
  params.top_k = 9;
  expect_agreement(model, params);
  params.top_p = 0.7;
  params.min_p = 0.01;
  params.repetition_penalty = 1.3;
  expect_agreement(model, params, {.max_slots = 4});
  params.temperature = 0.0;
  expect_agreement(model, params);
}

TEST(CudaEngine, NeverSamplesRowsBeyondTheVocabulary) {
  ToyModel model(toy_config(), 3, 0.02F);
  model.view.vocab_limit = 19;
  SamplingParams params = cool_params(8, 24);
  const DeviceModel there(model.view);
  RolloutEngine engine(there.view, [] { return int64_t{7}; });
  const std::vector<Prompt> prompts = {{.problem = 1, .ids = {4, 5, 6}}};
  for (const Rollout& rollout : engine.generate(prompts, params, {})) {
    for (const int32_t id : rollout.ids) EXPECT_LT(id, 19);
  }
}

TEST(CudaEngine, OneEngineServesCallsOfDifferentKinds) {
  ToyModel model(toy_config(), 3);
  const DeviceModel there(model.view);
  RolloutEngine engine(there.view, [] { return int64_t{7}; }, {.max_slots = 4});
  const auto prompts = some_prompts(37);
  const SamplingParams plain = cool_params(1, 12);
  SamplingParams other = cool_params(2, 12);
  other.repetition_penalty = 1.2;
  other.stop_ids = {4};
  const auto first = engine.generate(prompts, plain, {});
  const auto reshaped = engine.generate(prompts, other, {});
  expect_equal(engine.generate(prompts, plain, {}), first, 0.0F);
  engine.release();
  expect_equal(engine.generate(prompts, other, {}), reshaped, 0.0F);
}

// An update of the weights is work that another stream may not have done yet.
TEST(CudaEngine, WaitsForWeightsThatAreStillWritten) {
  ToyModel before(toy_config(), 3), after(toy_config(), 4);
  const SamplingParams params = cool_params(2, 6);
  DeviceModel there(before.view);
  int64_t version = 1;
  RolloutEngine engine(there.view, [&version] { return version; });
  const auto prompts = some_prompts(37);
  engine.generate(prompts, params, {.seed = 9, .step = 4});
  const device::Stream other;
  there.copy(after.view, other.get());
  ++version;
  expect_equal(engine.generate(prompts, params, {.seed = 9, .step = 4}), sample(after, ModelView::Device::kCpu, params));
}

TEST(CudaEngine, StopsWhereWeightsAreNotFinite) {
  ToyModel model(toy_config(), 3);
  static_cast<float*>(const_cast<void*>(model.view.layers[1].down.weight))[0] = std::numeric_limits<float>::quiet_NaN();
  try {
    sample(model, ModelView::Device::kCuda, cool_params());
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("finite"), std::string::npos);
  }
}

TEST(CudaEngine, RefusesWhatTheKernelsDoNotDo) {
  ModelConfig config = toy_config();
  config.num_attention_heads = 18;
  ToyModel wide(config, 3);
  EXPECT_THROW(sample(wide, ModelView::Device::kCuda, cool_params()), Error);
  ToyModel quantised(toy_config(), 3);
  quantised.view.layers[0].down.scale = quantised.matrix(22, 1.0F);
  EXPECT_THROW(sample(quantised, ModelView::Device::kCuda, cool_params()), Error);
}

// Rounds every weight of a model to bfloat16, and keeps a second copy in that type.
class RoundedModel {
 public:
  explicit RoundedModel(ToyModel& model) : view(model.view) {
    const ModelConfig& config = model.config;
    view.dtype = DType::kBF16;
    round(view.embedding, config.vocab_size * config.hidden_size);
    round(view.final_norm, config.hidden_size);
    round(view.head);
    for (LayerView& layer : view.layers) {
      for (LinearView* linear : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down}) round(*linear);
      round(layer.input_norm, config.hidden_size);
      round(layer.post_attention_norm, config.hidden_size);
      round(layer.q_norm, config.head_dim);
      round(layer.k_norm, config.head_dim);
    }
  }
  ModelView view;

 private:
  void round(const void*& values, int64_t count) {
    if (values == nullptr) return;
    auto* plain = static_cast<float*>(const_cast<void*>(values));
    std::vector<uint16_t>& copy = storage_.emplace_back(static_cast<size_t>(count));
    convert_from_float(plain, DType::kBF16, copy.data(), count);
    convert_to_float(copy.data(), DType::kBF16, plain, count);
    values = copy.data();
  }
  void round(LinearView& linear) {
    linear.dtype = DType::kBF16;
    round(linear.weight, linear.out * linear.in);
    round(linear.bias, linear.out);
  }
  std::deque<std::vector<uint16_t>> storage_;
};

// Oracle: a forward in double over the rounded weights. Activations, keys and values are rounded to 8 bits on their way.
TEST(CudaEngine, Bfloat16LogprobsAreNearTheReference) {
  ModelConfig config = toy_config();
  config.qk_norm = config.qkv_bias = config.mlp_bias = true;
  config.num_attention_heads = 14;
  config.head_dim = 24;
  ToyModel model(config, 3, 0.15F);
  const RoundedModel rounded(model);
  const DeviceModel there(rounded.view);
  RolloutEngine engine(there.view, [] { return int64_t{7}; }, {.max_slots = 5});
  double total = 0.0;
  int64_t tokens = 0;
  for (const Rollout& rollout : engine.generate(some_prompts(config.vocab_size), cool_params(2, 8), {.seed = 2})) {
    std::vector<int32_t> ids = rollout.prompt_ids;
    ids.insert(ids.end(), rollout.ids.begin(), rollout.ids.end());
    const auto logits = testing::reference_logits(model.view, ids);
    for (size_t t = 0; t < rollout.ids.size(); ++t) {
      const double expected = testing::reference_logprob(logits[rollout.prompt_ids.size() - 1 + t], rollout.ids[t], 0.8, 37);
      EXPECT_NEAR(rollout.logprobs[t], expected, 0.15);
      total += std::abs(rollout.logprobs[t] - expected);
      ++tokens;
    }
  }
  EXPECT_LT(total / static_cast<double>(tokens), 0.02);
}

}  // namespace
}  // namespace grpo
