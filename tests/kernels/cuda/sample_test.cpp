// CUDA kernels that draw tokens, executed on the host. Oracle throughout: plain loops in double, and grpo::sample_uniform for the random
// numbers. Shapes are drawn afresh in every run; the seed is printed on failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "decode_sample_cuda.h"
#include "device_array.h"
#include "grpo/core/random.h"

namespace grpo::kernels {
namespace {

using testing::DeviceArray;
using testing::Draws;
using Floats = std::vector<float>;
constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr int kSteps = 3;

class CudaSample : public ::testing::Test {
 protected:
  CudaSample() : trace_(__FILE__, __LINE__, "seed " + std::to_string(draws_.seed())) {}
  Draws draws_;
  ::testing::ScopedTrace trace_;
};

// Rows of logits with all that a step needs. Rows beyond the logits' are the step's prompts: never touched.
struct Step {
  int64_t n, limit, stride;
  Floats logits;
  std::vector<StepRow> rows;
  std::vector<SampleKey> keys;
  std::vector<DrawState> states;

  Step(Draws& draws, int64_t count, int64_t columns) : n(count), limit(columns), stride(columns + draws.pick(0, 5)) {
    logits = draws.normals(n * stride, 3.0F);
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t i = limit; i < stride; ++i) logits[static_cast<size_t>(r * stride + i)] = 1000.0F;  // never to be read
      rows.push_back({5, draws.pick(0, 5) == 0 ? -1 : static_cast<int32_t>(r), static_cast<int32_t>(draws.pick(0, 50))});
      keys.push_back({static_cast<uint64_t>(draws.pick(0, INT64_MAX)), static_cast<uint64_t>(draws.pick(0, INT64_MAX)),
                      static_cast<uint64_t>(draws.pick(0, INT64_MAX)), static_cast<uint32_t>(draws.pick(0, UINT32_MAX))});
      const auto stream = sample_stream(keys.back());
      states.push_back(
          {{stream[0], stream[1], stream[2], stream[3]}, keys.back().sample, static_cast<uint32_t>(draws.pick(0, 1000)), 100, 0});
    }
    if (n > 0) logits.resize(static_cast<size_t>((n - 1) * stride + limit));  // nothing lies behind the last row
  }
  int64_t chunks() const { return (limit + kLogitChunk - 1) / kLogitChunk; }
  const float* row(int64_t r) const { return logits.data() + r * stride; }
};

struct Result {
  std::vector<Drawn> drawn;  // [kSteps, n + 2]
  std::vector<StepRow> rows;
  std::vector<DrawState> states;
  std::vector<uint32_t> seen;
  std::vector<ChunkSums> sums;
};

// `times` draws from the same logits, or from those that they are `reshaped` to.
Result run(const Step& step, bool greedy, float inverse_temperature, const std::vector<int32_t>& stop_ids, int times,
           bool marks_seen = true, const Floats& reshaped = {}) {
  const DeviceArray<float> logits(step.logits), reshaped_logits(reshaped);
  const DeviceArray<ChunkSums> sums(step.n * step.chunks()), reshaped_sums(step.n * step.chunks());
  const DeviceArray<StepRow> rows(step.rows);
  const DeviceArray<DrawState> states(step.states);
  const DeviceArray<int32_t> stops(stop_ids);
  const DeviceArray<uint32_t> seen(std::vector<uint32_t>(static_cast<size_t>(step.n * ((step.limit + 31) / 32))));
  const int64_t stride = step.n + 2;
  const DeviceArray<Drawn> drawn(std::vector<Drawn>(static_cast<size_t>(kSteps * stride), Drawn{-5, 0.0F, 0.0F}));
  const Logits plain{logits.data(), sums.data(), step.stride, step.limit, inverse_temperature};
  Draw args;
  args.plain = args.processed = plain;
  if (!reshaped.empty()) {
    args.processed.logits = reshaped_logits.data();
    args.processed.sums = reshaped_sums.data();
  }
  args.greedy = greedy;
  args.stop_ids = stops.data();
  args.stop_count = static_cast<int64_t>(stop_ids.size());
  args.seen = marks_seen ? seen.data() : nullptr;
  args.states = states.data();
  args.drawn = drawn.data();
  args.drawn_stride = stride;
  for (int t = 0; t < times; ++t) {
    logit_sums_cuda(plain, rows.data(), step.n, nullptr);
    if (!reshaped.empty()) logit_sums_cuda(args.processed, rows.data(), step.n, nullptr);
    draw_cuda(args, rows.data(), step.n, nullptr);
  }
  return {drawn.read(), rows.read(), states.read(), seen.read(), sums.read()};
}

// Whether `id` is where the cumulative sum passes the uniform number, up to rounding.
void expect_inverse_cdf(const float* logits, int64_t limit, double inverse_temperature, float uniform, const Drawn& token) {
  const double max = *std::max_element(logits, logits + limit);
  double total = 0.0, before = 0.0;
  for (int64_t i = 0; i < limit; ++i) total += std::exp((logits[i] - max) * inverse_temperature);
  for (int64_t i = 0; i < token.id; ++i) before += std::exp((logits[i] - max) * inverse_temperature) / total;
  const double mass = std::exp((logits[token.id] - max) * inverse_temperature) / total;
  EXPECT_GE(uniform, before - 1e-5);
  EXPECT_LE(uniform, before + mass + 1e-5);
  EXPECT_GT(mass, 0.0);
  EXPECT_NEAR(token.logprob, std::log(mass), 1e-4);
  EXPECT_EQ(token.processed_logprob, token.logprob);
}

TEST_F(CudaSample, DrawsAreTheInverseCdfAtTheKeysUniform) {
  for (int round = 0; round < 24; ++round) {
    draws_.shuffle_order();
    // One chunk, an exact one, several.
    const int64_t limit = round % 4 == 0   ? draws_.pick(kLogitChunk - 1, kLogitChunk + 1)
                          : round % 4 == 1 ? draws_.pick(1, 3 * kLogitChunk)
                                           : draws_.pick(1, 90);
    Step step(draws_, round == 2 ? 0 : draws_.pick(1, 5), limit);
    for (float& logit : step.logits) logit = draws_.pick(0, 3) == 0 && logit < 0.0F ? kNever : logit;
    for (int64_t r = 0; r < step.n; ++r) step.logits[static_cast<size_t>(r * step.stride + draws_.pick(0, limit - 1))] = 1.0F;
    const float inverse_temperature = 0.5F + static_cast<float>(draws_.pick(0, 10)) * 0.2F;
    if (limit > kLogitChunk) std::fill(step.logits.begin(), step.logits.begin() + kLogitChunk, kNever);  // a chunk of no mass
    if (limit > kLogitChunk) step.logits[static_cast<size_t>(limit - 1)] = 1.0F;
    const bool marks_seen = draws_.flip();
    const Result result = run(step, false, inverse_temperature, {}, kSteps, marks_seen);
    for (int64_t r = 0; r < step.n; ++r) {
      const auto at = static_cast<size_t>(r);
      std::vector<uint32_t> seen(static_cast<size_t>((limit + 31) / 32));
      for (int t = 0; t < kSteps; ++t) {
        const Drawn& token = result.drawn[static_cast<size_t>(t * (step.n + 2)) + at];
        if (step.rows[at].sequence < 0) {
          EXPECT_EQ(token.id, -5);
          continue;
        }
        ASSERT_GE(token.id, 0);
        ASSERT_LT(token.id, limit);
        expect_inverse_cdf(step.row(r), limit, inverse_temperature,
                           sample_uniform(step.keys[at], step.states[at].position + static_cast<uint32_t>(t)), token);
        if (marks_seen) seen[static_cast<size_t>(token.id) / 32] |= 1U << token.id % 32;
        if (t == kSteps - 1) {
          EXPECT_EQ(result.rows[at].token, token.id);
        }
      }
      const bool idle = step.rows[at].sequence < 0;
      EXPECT_EQ(result.rows[at].position, step.rows[at].position + (idle ? 0 : kSteps));
      EXPECT_EQ(std::isnan(result.sums[at * static_cast<size_t>(step.chunks())].sum), idle);
      EXPECT_EQ(result.rows[at].sequence, step.rows[at].sequence);
      EXPECT_EQ(result.states[at].position, step.states[at].position + (idle ? 0 : kSteps));
      EXPECT_TRUE(std::equal(seen.begin(), seen.end(), result.seen.begin() + static_cast<int64_t>(at * seen.size())));
    }
  }
}

// Where the columns' sum, for rounding, does not reach the target, the last column of any mass is taken.
TEST_F(CudaSample, TheLargestUniformNeverGivesAColumnOfProbabilityZero) {
  const SampleKey key{1, 2, 3, 4};
  constexpr uint32_t kPosition = 8822584;
  ASSERT_EQ(sample_uniform(key, kPosition), 1.0F - 0x1p-24F);
  for (int round = 0; round < 60; ++round) {
    draws_.shuffle_order();
    Step step(draws_, 1, draws_.pick(600, kLogitChunk));
    const auto stream = sample_stream(key);
    step.states[0] = {{stream[0], stream[1], stream[2], stream[3]}, key.sample, kPosition, 5, 0};
    step.rows[0].sequence = 0;
    for (float& logit : step.logits) logit *= 0.03F;  // many of like mass, so that their sum rounds
    const auto last = draws_.pick(500, step.limit - 1);
    std::fill(step.logits.begin() + last + 1, step.logits.begin() + step.limit, kNever);
    const Result result = run(step, false, 1.0F, {}, 1);
    EXPECT_GT(result.drawn[0].id, last - 8);
    EXPECT_LE(result.drawn[0].id, last);
  }
}

TEST_F(CudaSample, GreedyTakesTheLowestIdOfTheMaximum) {
  for (int round = 0; round < 12; ++round) {
    draws_.shuffle_order();
    Step step(draws_, draws_.pick(1, 4), round % 2 == 0 ? draws_.pick(1, 70) : draws_.pick(kLogitChunk, 3 * kLogitChunk));
    for (float& logit : step.logits) logit = std::round(logit);  // so that the maximum is not alone
    const Result result = run(step, true, 1.0F, {}, 1);
    for (int64_t r = 0; r < step.n; ++r) {
      if (step.rows[static_cast<size_t>(r)].sequence < 0) continue;
      const float *row = step.row(r), *most = std::max_element(row, row + step.limit);
      double total = 0.0;
      for (int64_t i = 0; i < step.limit; ++i) total += std::exp(static_cast<double>(row[i]) - *most);
      const Drawn& token = result.drawn[static_cast<size_t>(r)];
      EXPECT_EQ(token.id, most - row);
      EXPECT_NEAR(token.logprob, -std::log(total), 1e-4);
      EXPECT_EQ(token.processed_logprob, 0.0F);
    }
  }
}

TEST_F(CudaSample, RowsEndAtStopIdsAndTheirLastToken) {
  Step step(draws_, 3, 40);
  for (StepRow& row : step.rows) row.sequence = 4;
  for (int64_t r = 0; r < 3; ++r) step.logits[static_cast<size_t>(r * step.stride + 11 + r)] = 100.0F;  // certain
  step.states[2].remaining = 2;
  const Result result = run(step, false, 1.0F, {7, 11, 39}, kSteps);
  const auto id = [&](int t, int64_t r) { return result.drawn[static_cast<size_t>(t * (step.n + 2) + r)].id; };
  EXPECT_EQ(id(0, 0), 11);
  EXPECT_EQ(id(1, 0), -5);
  EXPECT_EQ(id(2, 1), 12);
  EXPECT_EQ(id(1, 2), 13);
  EXPECT_EQ(id(2, 2), -5);
  EXPECT_EQ(result.rows[0].sequence, -1);
  EXPECT_EQ(result.rows[1].sequence, 4);
  EXPECT_EQ(result.rows[2].sequence, -1);
}

TEST_F(CudaSample, LogitsThatAreNotFiniteGiveNoToken) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), kNever}) {
    for (const int64_t limit : {int64_t{50}, 2 * kLogitChunk + 9}) {
      Step step(draws_, 2, limit);
      for (StepRow& row : step.rows) row.sequence = 1;
      // -infinity is a legal logit: the whole row. Others: one of many, or a chunk of nothing else.
      const int64_t first = bad == kNever || draws_.flip() ? 0 : draws_.pick(0, limit - 1);
      const int64_t end = first > 0 ? first + 1 : bad == kNever ? limit : std::min(limit, kLogitChunk);
      std::fill(step.logits.begin() + first, step.logits.begin() + end, bad);
      const Result result = run(step, draws_.flip(), 1.0F, {}, 2);
      EXPECT_EQ(result.drawn[0].id, -1);
      EXPECT_EQ(result.rows[0].sequence, -1);
      EXPECT_EQ(result.drawn[4].id, -5);
      EXPECT_GE(result.drawn[5].id, 0);
    }
  }
}

// A penalty may make an infinity of a finite logit, and truncation can drop the very logit that was not finite.
TEST_F(CudaSample, LogitsThatAreNotFiniteBeforeOrAfterReshapingGiveNoToken) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    for (const bool before : {true, false}) {
      Step step(draws_, 1, 50);
      step.rows[0].sequence = 0;
      Floats reshaped = step.logits;
      (before ? step.logits : reshaped)[static_cast<size_t>(draws_.pick(0, 49))] = bad;
      const Result result = run(step, false, 1.0F, {}, 1, true, reshaped);
      EXPECT_EQ(result.drawn[0].id, -1);
      EXPECT_EQ(result.rows[0].sequence, -1);
      EXPECT_TRUE(std::all_of(result.seen.begin(), result.seen.end(), [](uint32_t word) { return word == 0; }));
    }
  }
}

// The sampler's rules by sorting.
Floats reference_reshape(const Floats& logits, const std::vector<bool>& seen, const Reshape& args) {
  Floats row = logits;
  for (size_t i = 0; i < row.size(); ++i) {
    if (seen[i]) row[i] = static_cast<float>(row[i] > 0.0F ? row[i] / args.repetition_penalty : row[i] * args.repetition_penalty);
  }
  std::vector<size_t> order(row.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row[a] > row[b]; });
  const double max = row[order[0]];
  const auto mass = [&](size_t i) { return std::exp((row[i] - max) / args.temperature); };
  const auto kept = [&](size_t i) { return row[i] > kNever && (args.min_p == 0.0 || mass(i) >= args.min_p * (1.0 + 1e-9)); };
  size_t count = 0;
  while (count < order.size() && kept(order[count]) && (args.top_k == 0 || count < static_cast<size_t>(args.top_k))) ++count;
  double total = 0.0, before = 0.0;
  for (size_t i = 0; i < count; ++i) total += mass(order[i]);
  Floats out(row.size(), kNever);
  for (size_t i = 0; i < count && (args.top_p == 1.0 || before < args.top_p * total); ++i) {
    out[order[i]] = row[order[i]];
    before += mass(order[i]);
  }
  return out;
}

TEST_F(CudaSample, ReshapedLogitsEqualSorting) {
  for (int round = 0; round < 40; ++round) {
    draws_.shuffle_order();
    Step step(draws_, round == 0 ? 0 : draws_.pick(1, 3), round % 8 == 1 ? draws_.pick(1000, 1100) : draws_.pick(1, 70));
    if (draws_.flip()) {
      for (float& logit : step.logits) logit = std::round(logit);  // ties
    }
    const auto words = static_cast<size_t>((step.limit + 31) / 32);
    std::vector<uint32_t> seen(static_cast<size_t>(step.n) * words);
    for (uint32_t& word : seen) word = static_cast<uint32_t>(draws_.pick(0, UINT32_MAX));
    const DeviceArray<float> logits(step.logits), processed(step.n * step.stride);
    const DeviceArray<uint32_t> bits(seen);
    const DeviceArray<StepRow> rows(step.rows);
    Reshape args;
    args.logits = logits.data();
    args.processed = processed.data();
    args.stride = step.stride;
    args.limit = step.limit;
    args.temperature = 0.3 + 0.1 * static_cast<double>(draws_.pick(0, 12));
    args.repetition_penalty = draws_.flip() ? 1.0 : 1.37;
    args.min_p = draws_.flip() ? 0.0 : 0.0123;
    args.top_p = draws_.flip() ? 1.0 : 0.3217 + 0.1 * static_cast<double>(draws_.pick(0, 6));
    args.top_k = draws_.flip() ? 0 : draws_.pick(1, 80);
    args.seen = args.repetition_penalty == 1.0 ? nullptr : bits.data();
    reshape_logits_cuda(args, rows.data(), step.n, nullptr);
    const Floats found = processed.read();
    for (int64_t r = 0; r < step.n; ++r) {
      const auto begin = found.begin() + r * step.stride;
      if (step.rows[static_cast<size_t>(r)].sequence < 0) {
        EXPECT_TRUE(std::all_of(begin, begin + step.stride, [](float x) { return std::isnan(x); }));
        continue;
      }
      std::vector<bool> was_seen;
      for (int64_t i = 0; i < step.limit; ++i) {
        was_seen.push_back(args.seen != nullptr && (seen[static_cast<size_t>(r) * words + static_cast<size_t>(i / 32)] >> i % 32 & 1) != 0);
      }
      const Floats expected = reference_reshape(Floats(step.row(r), step.row(r) + step.limit), was_seen, args);
      EXPECT_EQ(Floats(begin, begin + step.limit), expected)
          << "top_k " << args.top_k << " top_p " << args.top_p << " min_p " << args.min_p << " temperature " << args.temperature;
      EXPECT_TRUE(std::all_of(begin + step.limit, begin + step.stride, [](float x) { return std::isnan(x); }));
    }
  }
}

}  // namespace
}  // namespace grpo::kernels
