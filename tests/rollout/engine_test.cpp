#include "grpo/rollout/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "engine_fixture.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

using namespace testing;

// Oracle: a forward in double by plain loops.
void expect_reference_logprobs(const ModelView& view, const std::vector<Rollout>& rollouts, double temperature) {
  for (const Rollout& rollout : rollouts) {
    std::vector<int32_t> ids = rollout.prompt_ids;
    ids.insert(ids.end(), rollout.ids.begin(), rollout.ids.end());
    const auto logits = testing::reference_logits(view, ids);
    for (size_t t = 0; t < rollout.ids.size(); ++t) {
      const auto& row = logits[rollout.prompt_ids.size() - 1 + t];
      EXPECT_NEAR(rollout.logprobs[t], testing::reference_logprob(row, rollout.ids[t], temperature, view.vocab_limit), 2e-5);
      EXPECT_EQ(rollout.logprobs[t], rollout.processed_logprobs[t]);
    }
  }
}

class EngineFamilies : public ::testing::TestWithParam<Family> {};

TEST_P(EngineFamilies, LogprobsEqualTheReferenceForward) {
  ModelConfig config = toy_config();
  GetParam().change(config);
  ToyModel model(config, 3);
  auto engine = engine_of(model);
  const auto prompts = some_prompts(config.vocab_size);
  SamplingParams params = short_params(2, 12);
  params.temperature = 0.8;
  const auto rollouts = engine.generate(prompts, params, {.seed = 1, .step = 2});
  ASSERT_EQ(rollouts.size(), 14U);
  expect_reference_logprobs(model.view, rollouts, 0.8);
}

const Family kGroup17{"group17", [](ModelConfig& c) {
                        c.num_attention_heads = 17;
                        c.num_key_value_heads = 1;
                        c.head_dim = 64;
                      }};
const auto name_of = [](const auto& family) { return std::string(family.param.name); };
INSTANTIATE_TEST_SUITE_P(All, EngineFamilies, ::testing::ValuesIn(kFamilies), name_of);
INSTANTIATE_TEST_SUITE_P(Wide, EngineFamilies, ::testing::Values(kGroup17), name_of);

TEST(Engine, FoldsLoraIntoThePackedWeights) {
  ToyModel model(toy_config(), 4);
  add_some_lora(model);
  auto engine = engine_of(model);
  expect_reference_logprobs(model.view, engine.generate(some_prompts(37), short_params(1, 8), {}), 1.0);
}

TEST(Engine, FillsRolloutsInGroupOrder) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model, {.max_slots = 4});
  const auto prompts = some_prompts(37);
  const auto rollouts = engine.generate(prompts, short_params(3, 5), {});
  ASSERT_EQ(rollouts.size(), prompts.size() * 3);
  for (size_t i = 0; i < rollouts.size(); ++i) {
    EXPECT_EQ(rollouts[i].group, static_cast<int64_t>(i / 3));
    EXPECT_EQ(rollouts[i].sample, static_cast<int64_t>(i % 3));
    EXPECT_EQ(rollouts[i].problem, prompts[i / 3].problem);
    EXPECT_EQ(rollouts[i].prompt_ids, prompts[i / 3].ids);
    EXPECT_EQ(rollouts[i].weights_version, 7);
    EXPECT_EQ(rollouts[i].ids.size(), 5U);
    EXPECT_EQ(rollouts[i].logprobs.size(), 5U);
    EXPECT_EQ(rollouts[i].finish, FinishReason::kLength);
  }
  EXPECT_NE(rollouts[0].ids, rollouts[1].ids);
}

class EngineExactness : public ::testing::TestWithParam<EngineOptions> {};

// Property: the schedule leaves no trace in the samples, whatever type they are computed in.
TEST_P(EngineExactness, SamplesDoNotDependOnTheSchedule) {
  ModelConfig config = toy_config();
  config.sliding_window = {0, 21};
  ToyModel model(config, 3);
  SamplingParams params = short_params(5, 40);
  params.stop_ids = {1, 2};
  for (const Types& types : kTypes) {
    SCOPED_TRACE(::testing::Message() << "types " << static_cast<int>(types.compute) << ' ' << static_cast<int>(types.kv));
    auto prompts = some_prompts(config.vocab_size);
    auto one_slot = engine_of(model, with_types({.max_slots = 1, .threads = 1}, types));
    const auto expected = one_slot.generate(prompts, params, {.seed = 9, .step = 4});
    auto engine = engine_of(model, with_types(GetParam(), types));
    expect_equal(engine.generate(prompts, params, {.seed = 9, .step = 4}), expected);

    std::reverse(prompts.begin(), prompts.end());
    auto reversed = engine.generate(prompts, params, {.seed = 9, .step = 4});
    std::stable_sort(reversed.begin(), reversed.end(), [](const Rollout& a, const Rollout& b) { return a.problem < b.problem; });
    expect_equal(reversed, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, EngineExactness,
                         ::testing::Values(EngineOptions{.max_slots = 1, .prefill_tokens = 1, .threads = 2},
                                           EngineOptions{.max_slots = 3, .prefill_tokens = 5, .threads = 1},
                                           EngineOptions{.max_slots = 8, .prefill_tokens = 64, .threads = 2}, EngineOptions{.threads = 2},
                                           EngineOptions{.max_slots = 33, .max_sequence_length = 90, .prefill_tokens = 1, .threads = 3}));

// Property: a sample does not depend on who shares its prompt, and equals the one of a group of its own.
TEST(Engine, BeginsTheLongestExpectedGroupsAndSamplesTheSame) {
  ToyModel model(toy_config(), 3);
  const std::vector<double> lengths = {5, 9, 5, 30, 0, 9, 2};
  std::vector<int64_t> begun;
  GenerateContext context;
  context.expected_length = [&](int64_t group) { return lengths[static_cast<size_t>(group)]; };
  context.on_token = [&](const TokenEvent& event) {
    if (event.sample == 0 && event.position == 0) begun.push_back(event.group);
  };
  auto engine = engine_of(model, {.max_slots = 1});
  const auto rollouts = engine.generate(some_prompts(37), short_params(2, 9), {}, context);
  EXPECT_EQ(begun, (std::vector<int64_t>{3, 1, 5, 0, 2, 6, 4}));
  expect_equal(rollouts, engine_of(model).generate(some_prompts(37), short_params(2, 9), {}));
}

// Oracle: the same samples without the guard, cut where its rule says.
TEST(Engine, TheRepetitionGuardEndsWhatIsCertain) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const auto prompts = some_prompts(37);
  SamplingParams params = short_params(3, 30);
  params.temperature = 0.05;
  const auto free = engine.generate(prompts, params, {});
  params.repetition_guard = 4;
  const auto guarded = engine.generate(prompts, params, {});
  int64_t shortened = 0;
  for (size_t i = 0; i < free.size(); ++i) {
    size_t length = 0;
    for (int64_t certain = 0; length < free[i].ids.size() && certain < 4; ++length)
      certain = free[i].logprobs[length] > std::log(0.99F) ? certain + 1 : 0;
    EXPECT_EQ(guarded[i].ids, std::vector<int32_t>(free[i].ids.begin(), free[i].ids.begin() + static_cast<int64_t>(length)));
    if (length == free[i].ids.size()) continue;
    EXPECT_EQ(guarded[i].finish, FinishReason::kLength);
    ++shortened;
  }
  EXPECT_GT(shortened, 0);
}

TEST(Engine, SharingAPromptChangesNothing) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const auto prompts = some_prompts(37);
  const auto all = engine.generate(prompts, short_params(4, 20), {.seed = 2});
  for (const Prompt& prompt : prompts) {
    const auto alone = engine.generate(std::vector{prompt}, short_params(1, 20), {.seed = 2});
    const auto same = std::find_if(all.begin(), all.end(), [&](const Rollout& r) { return r.problem == prompt.problem && r.sample == 0; });
    expect_equal(alone, {*same});
  }
}

TEST(Engine, KeysSeparateSeedsStepsAndProblems) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  std::vector<Prompt> prompts = {some_prompts(37)[4]};
  const auto base = engine.generate(prompts, short_params(1), {.seed = 1, .step = 1});
  EXPECT_NE(base[0].ids, engine.generate(prompts, short_params(1), {.seed = 2, .step = 1})[0].ids);
  EXPECT_NE(base[0].ids, engine.generate(prompts, short_params(1), {.seed = 1, .step = 2})[0].ids);
  prompts[0].problem += 1;
  EXPECT_NE(base[0].ids, engine.generate(prompts, short_params(1), {.seed = 1, .step = 1})[0].ids);
}

TEST(Engine, RepacksWhenTheVersionChanges) {
  ToyModel model(toy_config(), 3);
  int64_t version = 0;
  RolloutEngine engine(model.view, [&version] { return version; });
  const auto prompts = some_prompts(37);
  SamplingParams params = short_params(1, 6);
  engine.generate(prompts, params, {});
  auto* weights = static_cast<float*>(const_cast<void*>(model.view.layers[0].down.weight));
  for (int i = 0; i < 100; ++i) weights[i] += 0.5F;
  ++version;
  const auto rollouts = engine.generate(prompts, params, {});
  EXPECT_EQ(rollouts[0].weights_version, 1);
  expect_reference_logprobs(model.view, rollouts, 1.0);
}

TEST(Engine, ReleaseKeepsTheEngineUsable) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const auto before = engine.generate(some_prompts(37), short_params(), {});
  engine.release();
  expect_equal(engine.generate(some_prompts(37), short_params(), {}), before);
}

TEST(Engine, StopsAtStopIdsAndAtTheModelsEos) {
  ModelConfig config = toy_config();
  config.eos_token_ids = {3, 4};
  ToyModel model(config, 3, 0.1F);
  auto engine = engine_of(model);
  SamplingParams params = short_params(8, 50);
  params.stop_ids = {5};
  int stopped = 0;
  for (const Rollout& rollout : engine.generate(some_prompts(37), params, {})) {
    const auto stop = std::find_if(rollout.ids.begin(), rollout.ids.end(), [](int32_t id) { return id >= 3 && id <= 5; });
    if (rollout.finish == FinishReason::kStop) {
      ++stopped;
      EXPECT_EQ(stop + 1, rollout.ids.end());
    } else {
      EXPECT_EQ(stop, rollout.ids.end());
      EXPECT_EQ(rollout.ids.size(), 50U);
    }
  }
  EXPECT_GT(stopped, 0);
  params.ignore_eos = true;
  params.stop_ids.clear();
  for (const Rollout& rollout : engine.generate(some_prompts(37), params, {})) EXPECT_EQ(rollout.finish, FinishReason::kLength);
}

TEST(Engine, EndsAtTheContext) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model, {.max_sequence_length = 42});
  for (const Rollout& rollout : engine.generate(some_prompts(37), short_params(2, 30), {})) {
    EXPECT_EQ(rollout.ids.size(), std::min<size_t>(30, 42 - rollout.prompt_ids.size()));
    EXPECT_EQ(rollout.finish, FinishReason::kLength);
  }
}

TEST(Engine, NeverSamplesRowsBeyondTheVocabulary) {
  ToyModel model(toy_config(), 3, 0.02F);
  model.view.vocab_limit = 19;
  auto engine = engine_of(model);
  const auto rollouts = engine.generate(some_prompts(19), short_params(8, 50), {});
  for (const Rollout& rollout : rollouts) {
    for (const int32_t id : rollout.ids) EXPECT_LT(id, 19);
  }
  expect_reference_logprobs(model.view, rollouts, 1.0);
}

TEST(Engine, GreedyTakesTheMostLikelyTokenAndReportsPlainLogprobs) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  SamplingParams params = short_params(2, 10);
  params.temperature = 0.0;
  for (const Rollout& rollout : engine.generate(some_prompts(37), params, {})) {
    std::vector<int32_t> ids = rollout.prompt_ids;
    ids.insert(ids.end(), rollout.ids.begin(), rollout.ids.end());
    const auto logits = testing::reference_logits(model.view, ids);
    for (size_t t = 0; t < rollout.ids.size(); ++t) {
      const auto& row = logits[rollout.prompt_ids.size() - 1 + t];
      EXPECT_EQ(rollout.ids[t], std::max_element(row.begin(), row.end()) - row.begin());
      EXPECT_NEAR(rollout.logprobs[t], testing::reference_logprob(row, rollout.ids[t], 1.0, 37), 2e-5);
      EXPECT_EQ(rollout.processed_logprobs[t], 0.0F);
    }
  }
}

TEST(Engine, ReportsTokensProgressAndInterrupts) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model, {.max_slots = 3});
  std::vector<std::vector<int32_t>> streamed(14);
  int64_t tokens = 0, done = 0;
  GenerateContext context;
  context.on_token = [&](const TokenEvent& event) {
    auto& ids = streamed[static_cast<size_t>(event.group * 2 + event.sample)];
    EXPECT_EQ(event.position, static_cast<int64_t>(ids.size()));
    ids.push_back(event.id);
  };
  context.on_progress = [&](int64_t now, int64_t finished) {
    EXPECT_GE(now, tokens);
    tokens = now;
    done = finished;
  };
  const auto rollouts = engine.generate(some_prompts(37), short_params(2, 9), {}, context);
  EXPECT_EQ(tokens, 14 * 9);
  EXPECT_EQ(done, 14);
  for (size_t i = 0; i < rollouts.size(); ++i) EXPECT_EQ(streamed[i], rollouts[i].ids);

  int polls = 0;
  GenerateContext interrupting;
  interrupting.interrupted = [&polls] { return ++polls > 3; };
  const auto cut = engine.generate(some_prompts(37), short_params(2, 9), {}, interrupting);
  ASSERT_EQ(cut.size(), rollouts.size());
  size_t kept = 0;
  for (size_t i = 0; i < cut.size(); ++i) {  // each has the beginning of what it would have become
    EXPECT_EQ(cut[i].finish, cut[i].ids.size() == 9 ? FinishReason::kLength : FinishReason::kCancelled);
    EXPECT_TRUE(std::equal(cut[i].ids.begin(), cut[i].ids.end(), rollouts[i].ids.begin()));
    kept += cut[i].ids.size();
  }
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, 14U * 9U);
  EXPECT_EQ(engine.generate(some_prompts(37), short_params(2, 9), {}).size(), 14U);
}

TEST(Engine, EqualPromptsGetDifferentSamplesUnlessTheirNumbersAreEqual) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const std::vector<int32_t> ids = {3, 1, 4};
  const auto free = engine.generate(std::vector<Prompt>{{.ids = ids}, {.ids = ids}}, short_params(1), {});
  EXPECT_NE(free[0].ids, free[1].ids);
  const auto equal = engine.generate(std::vector<Prompt>{{.problem = 5, .ids = ids}, {.problem = 5, .ids = ids}}, short_params(1), {});
  EXPECT_EQ(equal[0].ids, equal[1].ids);
}

TEST(Engine, ASecondCallerIsRefusedAndTheFirstGoesOn) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const auto expected = engine.generate(some_prompts(37), short_params(2, 9), {});
  const auto refused = [&engine] {
    try {
      engine.generate(some_prompts(37), short_params(2, 9), {});
      return false;
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kUsage && std::string(error.what()).find("one call at a time") != std::string::npos;
    }
  };
  bool by_thread = false, by_callback = false;
  GenerateContext context;
  context.on_progress = [&](int64_t /*tokens*/, int64_t /*rollouts*/) {
    by_callback = refused();
    std::thread([&] { by_thread = refused(); }).join();
  };
  const auto found = engine.generate(some_prompts(37), short_params(2, 9), {}, context);
  EXPECT_TRUE(by_thread);
  EXPECT_TRUE(by_callback);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].ids, expected[i].ids);
  context.on_progress = [](int64_t /*tokens*/, int64_t /*rollouts*/) { throw 42; };
  EXPECT_THROW(engine.generate(some_prompts(37), short_params(2, 9), {}, context), Error);
  EXPECT_EQ(engine.generate(some_prompts(37), short_params(2, 9), {}).size(), 14U);  // after a failure it is free again
}

TEST(Engine, APromptMayHaveALimitOfItsOwn) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model, {.max_slots = 4});
  auto prompts = some_prompts(37);
  const auto expected = engine.generate(prompts, short_params(2, 9), {});
  for (size_t p = 0; p < prompts.size(); ++p) prompts[p].max_completion_length = static_cast<int64_t>(2 * p);
  const auto found = engine.generate(prompts, short_params(2, 9), {});
  for (size_t i = 0; i < found.size(); ++i) {
    const size_t own = 2 * (i / 2), length = own == 0 ? 9 : std::min<size_t>(own, 9);
    EXPECT_EQ(found[i].ids, std::vector<int32_t>(expected[i].ids.begin(), expected[i].ids.begin() + static_cast<int64_t>(length)));
    EXPECT_EQ(found[i].finish, FinishReason::kLength);
  }
}

TEST(Engine, RefusesWhatDoesNotFit) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const auto contains = [](const std::string& text, const char* what) { return text.find(what) != std::string::npos; };
  EXPECT_TRUE(contains(error_of(engine, {{.problem = 12, .ids = std::vector<int32_t>(96, 1)}}, short_params()), "problem 12"));
  EXPECT_TRUE(contains(error_of(engine, {{.problem = 13, .ids = {}}}, short_params()), "problem 13"));
  EXPECT_TRUE(contains(error_of(engine, {{.problem = 14, .ids = {1, 37}}}, short_params()), "got 37"));
  EXPECT_TRUE(contains(error_of(engine, {{.problem = 14, .ids = {-1}}}, short_params()), "got -1"));
  EXPECT_TRUE(contains(error_of(engine, {{.problem = 15, .ids = {1}, .max_completion_length = -2}}, short_params()), "got -2"));
  SamplingParams params = short_params();
  params.stop = {"x"};
  EXPECT_TRUE(contains(error_of(engine, {}, params), "tokenizer"));
  auto poor = engine_of(model, {.kv_budget_bytes = 100});
  EXPECT_TRUE(contains(error_of(poor, some_prompts(37), short_params()), "kv_budget_bytes"));
  EXPECT_THROW(engine_of(model, {.prefill_tokens = 0}), Error);
  EXPECT_TRUE(engine.generate({}, short_params(), {}).empty());
}

}  // namespace
}  // namespace grpo
