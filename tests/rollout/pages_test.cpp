// Pages of keys and values, and samples that leave their slots where pages are used up. Oracle: the same samples with pages to spare.
#include "rollout/pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include "engine_fixture.h"
#include "letter_tokenizer.h"
#include "rollout/backend.h"
#include "rollout/scheduler.h"

namespace grpo {
namespace {

using namespace testing;

void expect_disjoint(std::span<const CachedSequence> sequences, int64_t pages, int64_t free) {
  std::set<int32_t> seen;
  for (const CachedSequence& sequence : sequences) {
    for (const int32_t page : sequence.pages) {
      ASSERT_TRUE(page >= 0 && page < pages);
      ASSERT_TRUE(seen.insert(page).second) << "page " << page << " belongs to two sequences";
    }
  }
  ASSERT_EQ(static_cast<int64_t>(seen.size()) + free, pages);
}

TEST(PagePool, GivesEveryPageToOneSequenceAtATime) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  constexpr int64_t kPages = 23, kSequences = 5;
  PagePool pool(kPages, kSequences);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    const auto sequence = static_cast<int32_t>(random.uniform_int(0, kSequences - 1));
    const CachedSequence before = pool.sequences()[static_cast<size_t>(sequence)];
    const int64_t free = pool.free_pages(), entries = random.uniform_int(0, 9 * kPageEntries);
    const CachedSequence& now = pool.sequences()[static_cast<size_t>(sequence)];
    if (random.uniform_int(0, 5) == 0) {
      pool.go_on_after(sequence, 3, 17);
      EXPECT_TRUE(now.pages.empty() && now.prefix == 3 && now.prefix_length == 17);
    } else if (pool.grow(sequence, entries)) {
      const auto held = static_cast<int64_t>(now.pages.size());
      EXPECT_EQ(held, std::max<int64_t>(static_cast<int64_t>(before.pages.size()), (entries + kPageEntries - 1) / kPageEntries));
      EXPECT_TRUE(std::equal(before.pages.begin(), before.pages.end(), now.pages.begin()));
    } else {
      ++refused;
      EXPECT_GT((entries + kPageEntries - 1) / kPageEntries, static_cast<int64_t>(before.pages.size()) + free);
      EXPECT_EQ(now.pages, before.pages);
    }
    expect_disjoint(pool.sequences(), kPages, pool.free_pages());
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(refused, 0);
}

/// Counts rows, and checks that each has a page of its sequence's.
class CountingBackend final : public DecodeBackend {
 public:
  explicit CountingBackend(std::unique_ptr<DecodeBackend> backend) : backend_(std::move(backend)) {}

  int64_t steps() const override { return backend_->steps(); }
  int64_t slots(const ModelView& view, int64_t positions) const override { return backend_->slots(view, positions); }
  void refresh(const ModelView& view, int64_t version) override { backend_->refresh(view, version); }
  int64_t page_bytes(const ModelView& view) const override { return backend_->page_bytes(view); }
  void reserve(const BackendLimits& limits) override { backend_->reserve(limits); }
  void step(const StepBatch& batch, const SamplingParams& params, std::span<DrawnToken> drawn) override {
    ASSERT_FALSE(batch.rows.empty());
    for (const DecodeRow& row : batch.rows) {
      const CachedSequence& sequence = batch.sequences[static_cast<size_t>(row.sequence)];
      ASSERT_LT((row.position - sequence.prefix_length) / kPageEntries, static_cast<int64_t>(sequence.pages.size()));
    }
    rows += static_cast<int64_t>(batch.rows.size());
    backend_->step(batch, params, drawn);
  }
  void release() override { backend_->release(); }

  int64_t rows = 0;

 private:
  std::unique_ptr<DecodeBackend> backend_;
};

struct Kind {
  const char* name;
  void (*change)(SamplingParams&);
  int64_t max_new_tokens = 0;
  bool short_samples = false;  // which may end before pages are used up
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class PagesUsedUp : public ::testing::TestWithParam<Kind> {
 protected:
  PagesUsedUp() {
    config_.max_position_embeddings = 500;
    config_.sliding_window = {0, 90};
    params_ = short_params(3, 230);
    GetParam().change(params_);
    for (Prompt& prompt : prompts_) {
      while (prompt.ids.size() > 30 && prompt.ids.size() < 100) prompt.ids.push_back(static_cast<int32_t>(prompt.ids.size() % 37));
    }
    context_.tokenizer = &tokenizer_;
    context_.max_new_tokens = GetParam().max_new_tokens;
  }

  std::vector<Rollout> run(int64_t slots, int64_t pages, int64_t prefill_tokens) {
    GeneratePlan plan{.prompts = prompts_, .params = params_, .key = key_, .context = context_, .stop_ids = params_.stop_ids};
    plan.slots = slots;
    plan.pages = pages;
    plan.prefill_tokens = prefill_tokens;
    plan.max_length = config_.max_position_embeddings;
    plan.weights_version = 7;
    ToyModel model(config_, 3, 0.1F);
    CountingBackend backend(make_cpu_backend({.threads = 2}));
    backend.refresh(model.view, 7);
    backend.reserve({.rows = slots + prefill_tokens,
                     .slots = slots,
                     .pages = pages,
                     .slot_capacity = params_.max_completion_length,
                     .prefix_capacity = kLongestPrefix,
                     .length = config_.max_position_embeddings});
    std::vector<Rollout> rollouts = Scheduler(plan, backend).run();
    rows_ = backend.rows;
    return rollouts;
  }

  static constexpr int64_t kLongestPrefix = 99;
  ModelConfig config_ = toy_config();
  const LetterTokenizer tokenizer_;
  SamplingParams params_;
  RolloutKey key_{.seed = 9, .step = 4};
  GenerateContext context_;
  std::vector<Prompt> prompts_ = some_prompts(37);
  int64_t rows_ = 0;  // that the last run computed
};

TEST_P(PagesUsedUp, LeaveNoTraceInSamples) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  const int64_t least = pages_for(kLongestPrefix) + pages_for(params_.max_completion_length);
  const auto expected = run(21, 21 * least, 64);
  const int64_t rows = rows_;
  for (const int64_t pages : {least, least + 1, least + random.uniform_int(2, 20)}) {
    SCOPED_TRACE(::testing::Message() << "pages " << pages);
    expect_equal(run(random.uniform_int(2, 21), pages, random.uniform_int(1, 80)), expected);
    if (pages < least + 2 && !GetParam().short_samples) {
      EXPECT_GT(rows_, rows) << "no sample has left its slot";
    }
  }
  // Alone in its slot, a sample never leaves it, and a prompt is computed once.
  expect_equal(run(1, least, 64), expected);
  EXPECT_EQ(rows_, rows);
}

TEST_P(PagesUsedUp, LeaveNoTraceInSamplesThatGoOn) {
  const int64_t least = pages_for(kLongestPrefix) + pages_for(params_.max_completion_length);
  context_.max_new_tokens = 0;
  const auto expected = run(21, 21 * least, 64);
  context_.max_new_tokens = 70;
  std::vector<Rollout> finished, paused = run(4, least, 64);
  while (!paused.empty()) {
    prompts_.clear();
    for (Rollout& rollout : paused) {
      if (rollout.finish == FinishReason::kPaused) {
        prompts_.push_back(resumed(rollout, key_));
      } else {
        finished.push_back(std::move(rollout));
      }
    }
    paused.clear();
    if (!prompts_.empty()) paused = run(4, least, 64);
  }
  sort_by_sample(finished);
  expect_equal(finished, expected);
}

INSTANTIATE_TEST_SUITE_P(Sampling, PagesUsedUp,
                         ::testing::Values(Kind{"plain", [](SamplingParams&) {}},
                                           Kind{"stop_ids", [](SamplingParams& p) { p.stop_ids = {1}; }, 0, true},
                                           Kind{"stop_strings",
                                                [](SamplingParams& p) {
                                                  p.stop = {"ab", "ccc", "abcdefghij"};
                                                },
                                                0, true},
                                           Kind{"penalty",
                                                [](SamplingParams& p) {
                                                  p.repetition_penalty = 1.3;
                                                  p.top_k = 9;
                                                }},
                                           Kind{"paused", [](SamplingParams&) {}, 150}),
                         [](const auto& kind) { return std::string(kind.param.name); });

// A budget that holds few sequences at their longest.
TEST(Pages, ABudgetBoundsWhatIsReservedNotWhatIsSampled) {
  ModelConfig config = toy_config();
  config.max_position_embeddings = 500;
  ToyModel model(config, 3, 0.1F);
  const SamplingParams params = short_params(3, 300);
  const int64_t page = make_cpu_backend({})->page_bytes(model.view);
  auto roomy = engine_of(model);
  const auto expected = roomy.generate(some_prompts(37), params, {.seed = 2});
  auto tight = engine_of(model, {.kv_budget_bytes = 6 * page});
  expect_equal(tight.generate(some_prompts(37), params, {.seed = 2}), expected);
  auto poor = engine_of(model, {.kv_budget_bytes = 6 * page - 1});
  EXPECT_NE(error_of(poor, some_prompts(37), params).find("expected kv_budget_bytes of at least " + std::to_string(6 * page)),
            std::string::npos);
}

}  // namespace
}  // namespace grpo
