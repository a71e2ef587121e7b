// Samples that are paused and gone on with. Oracle: the same samples without a pause.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine_fixture.h"
#include "letter_tokenizer.h"

namespace grpo {
namespace {

using namespace testing;

constexpr RolloutKey kKey{.seed = 9, .step = 4};

/// The samples of all prompts by prompt, then by sample. Every call has a random limit, goes on with what the one before paused and begins
/// a prompt more, somewhere among those.
std::vector<Rollout> in_pieces(RolloutEngine& engine, const std::vector<Prompt>& prompts, const SamplingParams& params,
                               GenerateContext context, Random& random) {
  std::vector<Rollout> finished, paused;
  for (size_t begun = 0; begun < prompts.size() || !paused.empty();) {
    std::vector<Prompt> asked;
    for (const Rollout& rollout : paused) asked.push_back(resumed(rollout, kKey));
    const bool begins = begun < prompts.size();
    const int64_t place = random.uniform_int(0, static_cast<int64_t>(asked.size()));
    if (begins) asked.insert(asked.begin() + place, prompts[begun++]);
    context.max_new_tokens = random.uniform_int(1, 9);
    paused.clear();
    for (Rollout& rollout : engine.generate(asked, params, begins ? kKey : RolloutKey{.seed = 1, .step = 2}, context)) {
      const Prompt& prompt = asked.at(static_cast<size_t>(rollout.group));
      EXPECT_EQ(rollout.problem, prompt.problem);
      EXPECT_EQ(rollout.prompt_ids, prompt.ids);
      EXPECT_EQ(rollout.weights_version, 7);
      const size_t before = prompt.continuation ? prompt.continuation->ids.size() : 0;
      EXPECT_LE(rollout.ids.size() - before, static_cast<size_t>(context.max_new_tokens));
      (rollout.finish == FinishReason::kPaused ? paused : finished).push_back(std::move(rollout));
    }
  }
  sort_by_sample(finished);
  return finished;
}

EngineOptions random_options(Random& random) {
  return {.max_slots = random.uniform_int(1, 12),
          .prefill_tokens = random.uniform_int(1, 40),
          .threads = static_cast<int>(random.uniform_int(1, 3))};
}

struct PausedKind {
  const char* name;
  FinishReason finish;  // of some samples
  void (*change)(SamplingParams&);
  int64_t context = 0;
  float scale = 0.1F;  // of the weights
};

void PrintTo(const PausedKind& kind, std::ostream* out) { *out << kind.name; }

class PartialKinds : public ::testing::TestWithParam<PausedKind> {};

TEST_P(PartialKinds, PausesLeaveNoTrace) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  ModelConfig config = toy_config();
  config.sliding_window = {0, 21};
  ToyModel model(config, 3, GetParam().scale);
  const LetterTokenizer tokenizer;
  GenerateContext context;
  context.tokenizer = &tokenizer;
  SamplingParams params = short_params(4, 40);
  GetParam().change(params);
  const auto prompts = some_prompts(config.vocab_size);
  for (const Types& types : kTypes) {
    SCOPED_TRACE(::testing::Message() << "types " << static_cast<int>(types.compute) << ' ' << static_cast<int>(types.kv));
    const auto engine = [&] {
      EngineOptions options = with_types(random_options(random), types);
      options.max_sequence_length = GetParam().context;
      return engine_of(model, options);
    };
    const auto expected = engine().generate(prompts, params, kKey, context);
    EXPECT_TRUE(std::any_of(expected.begin(), expected.end(), [](const Rollout& r) { return r.finish == GetParam().finish; }));
    auto pausing = engine();
    expect_equal(in_pieces(pausing, prompts, params, context, random), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Sampling, PartialKinds,
                         ::testing::Values(PausedKind{"plain", FinishReason::kLength, [](SamplingParams&) {}},
                                           PausedKind{"stop_ids", FinishReason::kStop,
                                                      [](SamplingParams& p) {
                                                        p.stop_ids = {1, 2};
                                                      }},
                                           PausedKind{"stop_strings", FinishReason::kStopString,
                                                      [](SamplingParams& p) {
                                                        p.stop = {"ab", "ccc", "ki", "abcdefghij"};
                                                      }},
                                           PausedKind{"context", FinishReason::kLength, [](SamplingParams&) {}, 42},
                                           PausedKind{"guard", FinishReason::kLength,
                                                      [](SamplingParams& p) {
                                                        p.temperature = 0.05;
                                                        p.repetition_guard = 4;
                                                      },
                                                      0, 0.3F},
                                           PausedKind{"penalty", FinishReason::kLength,
                                                      [](SamplingParams& p) {
                                                        p.repetition_penalty = 1.3;
                                                        p.top_k = 9;
                                                      }},
                                           PausedKind{"greedy", FinishReason::kLength, [](SamplingParams& p) { p.temperature = 0.0; }}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(Partial, ReportsOnlyWhatIsNew) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model, {.max_slots = 3});
  GenerateContext context;
  context.max_new_tokens = 6;
  std::vector<Prompt> prompts;
  for (const Rollout& rollout : engine.generate(some_prompts(37), short_params(2, 9), kKey, context)) {
    EXPECT_EQ(rollout.finish, FinishReason::kPaused);
    ASSERT_EQ(rollout.ids.size(), 6U);
    prompts.push_back(resumed(rollout, kKey));
  }
  ASSERT_EQ(prompts.size(), 14U);
  std::vector<int64_t> positions(14, 6);
  int64_t tokens = 0;
  context.on_token = [&](const TokenEvent& event) { EXPECT_EQ(event.position, positions[static_cast<size_t>(event.group)]++); };
  context.on_progress = [&](int64_t now, int64_t) { tokens = now; };
  for (const Rollout& rollout : engine.generate(prompts, short_params(2, 9), kKey, context)) {
    EXPECT_EQ(rollout.finish, FinishReason::kLength);
    EXPECT_EQ(rollout.sample, rollout.group % 2);
  }
  EXPECT_EQ(tokens, 14 * 3);
  EXPECT_EQ(positions, std::vector<int64_t>(14, 9));
}

// Oracle: a forward in double over the new weights, of the earlier tokens too.
TEST(Partial, GoesOnUnderTheWeightsOfNow) {
  ToyModel model(toy_config(), 3);
  int64_t version = 5;
  RolloutEngine engine(model.view, [&version] { return version; });
  GenerateContext context;
  context.max_new_tokens = 4;
  const auto first = engine.generate(some_prompts(37), short_params(1, 10), kKey, context);
  auto* weights = static_cast<float*>(const_cast<void*>(model.view.layers[0].down.weight));
  for (int i = 0; i < 100; ++i) weights[i] += 0.5F;
  ++version;
  std::vector<Prompt> prompts;
  for (const Rollout& rollout : first) prompts.push_back(resumed(rollout, kKey));
  const auto whole = engine.generate(prompts, short_params(1, 10), kKey);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i].weights_version, 5);
    ASSERT_EQ(whole[i].ids.size(), 10U);
    ASSERT_EQ(whole[i].logprobs.size(), 10U);
    EXPECT_TRUE(std::equal(first[i].ids.begin(), first[i].ids.end(), whole[i].ids.begin()));
    EXPECT_TRUE(std::equal(first[i].logprobs.begin(), first[i].logprobs.end(), whole[i].logprobs.begin()));
    std::vector<int32_t> ids = whole[i].prompt_ids;
    ids.insert(ids.end(), whole[i].ids.begin(), whole[i].ids.end());
    const auto logits = reference_logits(model.view, ids);
    for (size_t t = 4; t < 10; ++t) {
      EXPECT_NEAR(whole[i].logprobs[t], reference_logprob(logits[whole[i].prompt_ids.size() - 1 + t], whole[i].ids[t], 1.0, 37), 2e-5);
    }
  }
}

TEST(Partial, RefusesWhatCannotGoOn) {
  ToyModel model(toy_config(), 3);
  auto engine = engine_of(model);
  const auto error_with = [&](const Continuation& earlier) {
    return error_of(engine, {{.problem = 12, .ids = {1, 2}, .continuation = earlier}}, short_params(1, 3));
  };
  Continuation earlier{.sample = 0, .key = {}, .weights_version = 0, .ids = {4, 5}, .logprobs = {-1, -1}, .processed_logprobs = {-1, -1}};
  EXPECT_EQ(error_with(earlier), "");
  earlier.ids[1] = 37;
  EXPECT_NE(error_with(earlier).find("got 37"), std::string::npos);
  earlier.ids = {4};
  EXPECT_NE(error_with(earlier).find("problem 12: expected both log-probs"), std::string::npos);
  earlier.ids = {4, 5, 6};
  EXPECT_NE(error_with(earlier).find("the 3 tokens at which it ends; got 3"), std::string::npos);
  GenerateContext context;
  context.max_new_tokens = -1;
  EXPECT_THROW(engine.generate(some_prompts(37), short_params(), {}, context), Error);
}

}  // namespace
}  // namespace grpo
