#include "grpo/algorithm/batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "grpo/core/error.h"
#include "samples.h"

namespace {

using grpo::Batch;
using grpo::make_batch;
using grpo::PackedTokens;
using grpo::Rollout;
using grpo::testing::make_rollouts;
using grpo::testing::values;
using Ids = std::vector<int32_t>;

/// What a pair is, wherever it lies: all ids that its row sees, its target, its group, and its advantage.
struct Pair {
  Ids seen;
  int32_t target;
  int64_t group;
  double advantage, mask;
  bool operator==(const Pair&) const = default;
};

std::vector<Pair> pairs_of(const Batch& batch) {
  const auto advantages = values(batch.advantages), masks = values(batch.mask);
  std::vector<Pair> pairs;
  for (size_t i = 0; i < batch.rows.size(); ++i) {
    const int64_t row = batch.rows[i];
    const auto segment = std::ranges::find_if(batch.segments, [&](const auto& s) { return s.begin <= row && row < s.end; });
    Ids seen(batch.tokens.begin() + segment->prefix_begin, batch.tokens.begin() + segment->prefix_end);
    seen.insert(seen.end(), batch.tokens.begin() + segment->begin, batch.tokens.begin() + row + 1);
    EXPECT_EQ(batch.positions[static_cast<size_t>(row)], static_cast<int32_t>(seen.size()) - 1);
    pairs.push_back({seen, batch.targets[i], batch.groups[static_cast<size_t>(batch.sequence_of[i])], advantages[i], masks[i]});
  }
  return pairs;
}

Batch random_batch(const std::vector<int64_t>& lengths, int64_t group_size) {
  return grpo::testing::make_problem(lengths, group_size, at::kFloat, 3).batch;
}

// Oracle: by hand.
TEST(MakeBatch, SharesThePromptOfAGroup) {
  std::vector<Rollout> rollouts(2);
  rollouts[0].prompt_ids = rollouts[1].prompt_ids = {10, 11, 12};
  rollouts[0].ids = {20, 21};
  rollouts[1].ids = {30};
  rollouts[0].logprobs = {-1, -2};
  rollouts[1].logprobs = {-3};
  rollouts[0].finish = grpo::FinishReason::kStop;
  const Batch batch = make_batch(rollouts, at::tensor({0.5, -0.5}), {.mask_truncated_completions = true});
  const PackedTokens& packed = batch;
  EXPECT_EQ(packed.tokens, (Ids{10, 11, 12, 20, 21, 30}));
  EXPECT_EQ(packed.positions, (Ids{0, 1, 2, 3, 4, 3}));
  EXPECT_EQ(packed.rows, (Ids{2, 3, 2}));
  EXPECT_EQ(packed.targets, (Ids{20, 21, 30}));
  EXPECT_EQ(packed.sequence_of, (Ids{0, 0, 1}));
  ASSERT_EQ(packed.segments.size(), 3U);
  EXPECT_EQ(packed.segments[0].prefix_end, packed.segments[0].prefix_begin);
  EXPECT_EQ(packed.segments[2].begin, 5);
  EXPECT_EQ(packed.segments[2].end, 6);
  EXPECT_EQ(packed.segments[2].prefix_end, 3);
  EXPECT_EQ(values(batch.advantages), (std::vector<double>{0.5, 0.5, -0.5}));
  EXPECT_EQ(values(batch.mask), (std::vector<double>{1, 1, 0}));  // the second ended for its length
  EXPECT_EQ(values(batch.sampling_logprobs), (std::vector<double>{-1, -2, -3}));
  EXPECT_FALSE(batch.old_logprobs.defined());
  rollouts[0].finish = grpo::FinishReason::kPaused;
  const Batch paused = make_batch(rollouts, {}, {.mask_truncated_completions = true});
  EXPECT_EQ(values(paused.mask), (std::vector<double>{0, 0, 0}));
}

// Oracle: the rollouts themselves, read back pair by pair.
TEST(MakeBatch, EveryIdIsPredictedFromWhatStandsBeforeIt) {
  const auto rollouts = make_rollouts({3, 1, 4, 2, 5, 1, 1}, 3);
  const auto pairs = pairs_of(make_batch(rollouts, at::arange(7, at::kFloat)));
  size_t pair = 0;
  for (size_t i = 0; i < rollouts.size(); ++i) {
    Ids seen = rollouts[i].prompt_ids;
    for (const int32_t id : rollouts[i].ids) {
      EXPECT_EQ(pairs.at(pair), (Pair{seen, id, rollouts[i].group, static_cast<double>(i), 1.0}));
      seen.push_back(id);
      ++pair;
    }
  }
  EXPECT_EQ(pair, pairs.size());
}

// Oracle: the rollouts' own keys. A token's draw depends on its problem, sample, position and step, not on where it lies; advantages may
// be given per id.
TEST(MakeBatch, DrawsAndAdvantagesOfTokens) {
  auto rollouts = make_rollouts({3, 1, 4}, 3);
  for (auto& rollout : rollouts) rollout.problem = 7;
  const auto draws = [&](uint64_t step) { return make_batch(rollouts, {}, {.draw_key = {{.seed = 5, .step = step}}}).draws; };
  const at::Tensor first = draws(1);
  EXPECT_TRUE(first.ge(0).logical_and(first.lt(1)).all().item<bool>());
  EXPECT_TRUE(first.equal(draws(1)));
  EXPECT_TRUE(first.ne(draws(2)).all().item<bool>());
  std::swap(rollouts[0], rollouts[2]);
  EXPECT_TRUE(draws(1).narrow(0, 0, 4).equal(first.narrow(0, 4, 4)));
  EXPECT_FALSE(make_batch(rollouts, {}).draws.defined());
  EXPECT_TRUE(make_batch(rollouts, at::arange(8, at::kFloat)).advantages.equal(at::arange(8, at::kFloat)));
}

TEST(MakeBatch, BadRolloutsAreRefused) {
  const auto good = make_rollouts({2, 2}, 2);
  const at::Tensor advantages = at::zeros({2});
  const auto expect_refused = [&](auto&& spoil, const std::string& message) {
    auto rollouts = good;
    spoil(rollouts[1]);
    try {
      make_batch(rollouts, advantages);
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const grpo::Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  };
  expect_refused([](Rollout& r) { r.ids.clear(); }, "expected at least one sampled id; got none in sample 1 of group 0");
  expect_refused([](Rollout& r) { r.prompt_ids.clear(); }, "expected at least one prompt id");
  expect_refused([](Rollout& r) { r.prompt_ids.push_back(4); }, "expected one prompt for the whole group");
  expect_refused([](Rollout& r) { r.logprobs = {-1}; }, "expected one log-prob per id (2) or none; got 1");
  EXPECT_THROW(make_batch(std::vector<Rollout>(), {}), grpo::Error);
  EXPECT_THROW(make_batch(good, at::zeros({3})), grpo::Error);
  EXPECT_FALSE(make_batch(good, {}).advantages.defined());
  EXPECT_FALSE(make_batch(good, {}).sampling_logprobs.defined());
}

// Property: for every budget the micro-batches hold the batch's pairs in order, none exceeds the budget unless it is one sequence alone,
// and every tensor went along.
TEST(Split, UnionOfPairsIsTheBatch) {
  const Batch batch = random_batch({3, 1, 4, 2, 9, 1, 1, 6, 2, 2, 30, 5}, 4);
  const auto pairs = pairs_of(batch);
  for (int64_t budget = 1; budget <= batch.num_tokens() + 1; ++budget) {
    std::vector<Pair> together;
    std::vector<at::Tensor> old, sampling, reference;
    for (const Batch& micro : batch.split({.max_tokens = budget})) {
      EXPECT_TRUE(micro.num_tokens() <= budget || micro.num_sequences() == 1) << budget;
      const auto part = pairs_of(micro);
      together.insert(together.end(), part.begin(), part.end());
      old.push_back(micro.old_logprobs);
      sampling.push_back(micro.sampling_logprobs);
      reference.push_back(micro.ref_logprobs);
    }
    EXPECT_EQ(together, pairs) << budget;
    EXPECT_TRUE(at::cat(old).equal(batch.old_logprobs));
    EXPECT_TRUE(at::cat(reference).equal(batch.ref_logprobs));
    EXPECT_TRUE(at::cat(sampling).nan_to_num(7).equal(batch.sampling_logprobs.nan_to_num(7)));
  }
  EXPECT_EQ(batch.split({.max_tokens = batch.num_tokens()}).size(), 1U);
  EXPECT_THROW(batch.split({.max_tokens = 0}), grpo::Error);
}

// Oracle: by hand. Prompts of 2; groups of 2 × 4 ids = 10 rows each, budget 20: two whole groups to a micro-batch, and four groups in two
// even parts; budget 25 still needs two parts and keeps them even.
TEST(Split, KeepsGroupsWholeAndSizesEven) {
  std::vector<Rollout> rollouts(8);
  for (size_t i = 0; i < rollouts.size(); ++i) {
    rollouts[i].group = static_cast<int64_t>(i / 2);
    rollouts[i].prompt_ids = {static_cast<int32_t>(i / 2), 1};
    rollouts[i].ids = {5, 6, 7, 8};
  }
  for (const int64_t budget : {20, 25, 39}) {
    const auto micro_batches = make_batch(rollouts, {}).split({.max_tokens = budget});
    ASSERT_EQ(micro_batches.size(), 2U) << budget;
    for (const Batch& micro : micro_batches) EXPECT_EQ(micro.num_tokens(), 20) << budget;
  }
  const auto cut = make_batch(rollouts, {}).split({.max_tokens = 9});  // no group fits: each sequence with its prompt
  ASSERT_EQ(cut.size(), 8U);
  for (const Batch& micro : cut) EXPECT_EQ(micro.num_tokens(), 6);
}

// Property: the pairs of the chosen sequences, ascending, and the prompt once for what is left of a group.
TEST(Select, TakesSequencesInOrder) {
  const Batch batch = random_batch({3, 1, 4, 2, 9, 1}, 3);
  const auto pairs = pairs_of(batch);
  std::vector<Pair> expected;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (batch.sequence_of[i] == 0 || batch.sequence_of[i] == 2 || batch.sequence_of[i] == 5) expected.push_back(pairs[i]);
  }
  const Batch part = batch.select({5, 0, 2});
  EXPECT_EQ(pairs_of(part), expected);
  EXPECT_EQ(part.groups, (std::vector<int64_t>{0, 0, 1}));
  EXPECT_EQ(part.segments.size(), 5U);  // two prompts, three completions
  EXPECT_THROW(batch.select({0, 0}), grpo::Error);
  EXPECT_THROW(batch.select({6}), grpo::Error);
  EXPECT_THROW(batch.select({-1}), grpo::Error);
  EXPECT_THROW(batch.select({}), grpo::Error);
}

// Oracle: the number of each pair in the whole batch, carried as a column.
TEST(Batch, ColumnsFollowTheirPairs) {
  Batch batch = make_batch(make_rollouts({3, 1, 4, 2}, 2), {});
  batch.columns["number"] = at::arange(batch.num_pairs(), at::kFloat);
  const Batch part = batch.select({1, 2});
  EXPECT_TRUE(part.columns.at("number").equal(at::arange(3, 8, at::kFloat)));
  std::vector<at::Tensor> columns;
  for (const auto& micro : batch.split({.max_tokens = 8})) columns.push_back(micro.columns.at("number"));
  EXPECT_GT(columns.size(), 1U);
  EXPECT_TRUE(at::cat(columns).equal(batch.columns.at("number")));
}

TEST(Split, KeepsGroupsThatDoNotFit) {
  const Batch batch = make_batch(make_rollouts({9, 9, 2, 2, 9, 9}, 2), {});
  EXPECT_GT(batch.split({.max_tokens = 15}).size(), 3U);
  const auto parts = batch.split({.max_tokens = 15, .keep_groups = true});
  ASSERT_EQ(parts.size(), 3U);
  for (const auto& part : parts) EXPECT_EQ(part.num_sequences(), 2);
}

TEST(Batch, MovesItsTensors) {
  const Batch batch = random_batch({3, 1}, 2);
  const Batch moved = batch.to(at::kMeta);
  EXPECT_TRUE(moved.mask.is_meta() && moved.advantages.is_meta() && moved.old_logprobs.is_meta() && moved.ref_logprobs.is_meta() &&
              moved.draws.is_meta() && moved.sampling_logprobs.is_meta());
  EXPECT_EQ(moved.tokens, batch.tokens);
}

}  // namespace
