#include "rollout/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "dispatch.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr int kDraws = 20000;

/// Ten logits, two of them equal, in a row padded to the kernels' width.
std::vector<float> row_of(const kernels::DecodeKernels& table) {
  std::vector<float> row = {0.3F, 2.0F, -1.0F, 1.5F, 2.0F, 0.0F, -2.5F, 0.9F, -0.4F, 1.1F};
  const auto width = static_cast<size_t>(table.panel_columns);
  row.resize((row.size() + width - 1) / width * width, -std::numeric_limits<float>::infinity());
  return row;
}

/// The exact distribution, worked out by definition: sorts, cuts and renormalises at every stage.
std::map<int32_t, double> exact_distribution(const std::vector<float>& row, const SamplingParams& params,
                                             const std::vector<int32_t>& seen) {
  std::vector<std::pair<double, int32_t>> kept;
  for (int32_t id = 0; id < 10; ++id) {
    double logit = row[static_cast<size_t>(id)];
    if (std::find(seen.begin(), seen.end(), id) != seen.end()) {
      logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    }
    kept.emplace_back(std::exp(logit / params.temperature), id);
  }
  std::sort(kept.begin(), kept.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  std::erase_if(kept, [&, best = kept.front().first](const auto& each) { return each.first < params.min_p * best; });
  if (params.top_k > 0) kept.resize(std::min(kept.size(), static_cast<size_t>(params.top_k)));
  const auto total_of = [&] {
    return std::accumulate(kept.begin(), kept.end(), 0.0, [](double sum, const auto& each) { return sum + each.first; });
  };
  double before = 0.0;
  const double mass = total_of();
  std::erase_if(kept, [&](const auto& each) {
    const bool drop = before >= params.top_p * mass;
    before += each.first;
    return drop;
  });
  std::map<int32_t, double> probabilities;
  for (const auto& [weight, id] : kept) probabilities[id] = weight / total_of();
  return probabilities;
}

struct Mode {
  const char* name;
  SamplingParams params;
};

SamplingParams with(void (*change)(SamplingParams&)) {
  SamplingParams params;
  change(params);
  return params;
}

class SamplerModes : public ::testing::TestWithParam<Mode> {};

// Oracle: exact probabilities. Chi-square below its 99.9999 % point for 9 degrees of freedom (44.8); draws are keyed, so the test is fixed.
TEST_P(SamplerModes, DrawsTheExactDistribution) {
  const SamplingParams& params = GetParam().params;
  const std::vector<int32_t> prompt = {1, 6, 1}, output = {3};
  for (const auto& isa : kernels::available_cpu_kernels()) {
    SCOPED_TRACE(isa.isa);
    const std::vector<float> row = row_of(*isa.decode);
    const auto exact = exact_distribution(row, params, {1, 6, 3});
    SamplingParams temperature_only;
    temperature_only.temperature = params.temperature;
    const auto scaled = exact_distribution(row, temperature_only, {});
    std::map<int32_t, int> counts;
    SamplerScratch scratch;
    for (uint32_t i = 0; i < kDraws; ++i) {
      const DrawnToken token = draw_token(*isa.decode, params, row, sample_uniform({.seed = 3}, i), prompt, output, scratch);
      ++counts[token.id];
      ASSERT_TRUE(exact.contains(token.id)) << token.id;
      ASSERT_NEAR(token.logprob, std::log(scaled.at(token.id)), 2e-6);
      ASSERT_NEAR(token.processed_logprob, std::log(exact.at(token.id)), 2e-6);
    }
    double chi_square = 0.0;
    for (const auto& [id, probability] : exact) {
      const double expected = probability * kDraws;
      chi_square += (counts[id] - expected) * (counts[id] - expected) / expected;
    }
    EXPECT_LT(chi_square, 44.8);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SamplerModes,
                         ::testing::Values(Mode{"plain", with([](SamplingParams&) {})},
                                           Mode{"temperature", with([](SamplingParams& p) { p.temperature = 0.6; })},
                                           Mode{"top_k", with([](SamplingParams& p) { p.top_k = 4; })},
                                           Mode{"top_k_splits_equals", with([](SamplingParams& p) { p.top_k = 1; })},
                                           Mode{"top_p", with([](SamplingParams& p) { p.top_p = 0.7; })},
                                           Mode{"min_p", with([](SamplingParams& p) { p.min_p = 0.2; })},
                                           Mode{"penalty", with([](SamplingParams& p) { p.repetition_penalty = 1.4; })},
                                           Mode{"all", with([](SamplingParams& p) {
                                                  p.temperature = 1.3;
                                                  p.top_k = 6;
                                                  p.top_p = 0.9;
                                                  p.min_p = 0.1;
                                                  p.repetition_penalty = 0.8;
                                                })},
                                           Mode{"more_than_all", with([](SamplingParams& p) { p.top_k = 1000; })},
                                           Mode{"tiny_top_p", with([](SamplingParams& p) { p.top_p = 1e-9; })}),
                         [](const auto& mode) { return std::string(mode.param.name); });

TEST(Sampler, GreedyTakesTheLowestOfEqualsAndHeedsThePenalty) {
  const auto& table = *kernels::cpu_kernels().decode;
  const std::vector<float> row = row_of(table);
  SamplerScratch scratch;
  SamplingParams params;
  params.temperature = 0.0;
  EXPECT_EQ(draw_token(table, params, row, 0.9F, {}, {}, scratch).id, 1);
  params.repetition_penalty = 2.0;
  const std::vector<int32_t> prompt = {1}, output = {4};
  EXPECT_EQ(draw_token(table, params, row, 0.9F, prompt, output, scratch).id, 3);
}

TEST(Sampler, LogitsThatAreNotFiniteGiveNoToken) {
  const auto& table = *kernels::cpu_kernels().decode;
  SamplerScratch scratch;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> row = row_of(table);
    row[3] = bad;
    EXPECT_EQ(draw_token(table, {}, row, 0.5F, {}, {}, scratch).id, -1);
  }
}

TEST(SamplingParams, ValidationNamesEveryFault) {
  EXPECT_NO_THROW(validate(SamplingParams{}));
  SamplingParams params;
  params.num_generations = 0;
  params.top_p = 0.0;
  params.temperature = std::numeric_limits<double>::quiet_NaN();
  params.stop = {""};
  try {
    validate(params);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    for (const char* name : {"num_generations", "top_p", "temperature", "stop"}) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << name;
    }
  }
}

}  // namespace
}  // namespace grpo
