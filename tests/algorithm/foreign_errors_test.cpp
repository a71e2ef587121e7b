// Tensors that do not fit leave every public function as an Error, never as an exception of LibTorch's with its stack. Oracle: the
// contract.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "grpo/algorithm/advantages.h"
#include "grpo/algorithm/batch.h"
#include "grpo/algorithm/correction.h"
#include "grpo/algorithm/dpo.h"
#include "grpo/algorithm/gae.h"
#include "grpo/algorithm/kl.h"
#include "grpo/algorithm/loss.h"
#include "grpo/algorithm/prime.h"
#include "grpo/core/error.h"

namespace grpo {
namespace {

/// Two samples of one prompt, of two tokens each.
Batch small_batch() {
  std::vector<Rollout> rollouts(2);
  for (Rollout& rollout : rollouts) {
    rollout.prompt_ids = {1, 2};
    rollout.ids = {3, 4};
    rollout.logprobs = rollout.processed_logprobs = {-1.0F, -1.0F};
    rollout.finish = FinishReason::kStop;
  }
  rollouts[1].sample = 1;
  return make_batch(rollouts, at::tensor({1.0F, -1.0F}));
}

struct WrongCase {
  const char* name;
  std::function<void(const Batch&, const at::Tensor&)> call;
};

const std::vector<int64_t> kGroups = {0, 0};
const std::vector<int32_t> kIds = {1};

const WrongCase kWrong[] = {
    {"group_advantages", [](const Batch&, const at::Tensor& x) { group_advantages(x, kGroups); }},
    {"reward_statistics", [](const Batch&, const at::Tensor& x) { reward_statistics(x, kGroups); }},
    {"estimate_advantages", [](const Batch& b, const at::Tensor& x) { estimate_advantages({.rewards = x}, b); }},
    {"make_batch",
     [](const Batch&, const at::Tensor& x) {
       make_batch(std::vector<Sequence>{{.prompt_ids = kIds, .ids = kIds}}, x.defined() ? x : at::ones({7}));
     }},
    {"importance_sampling_ratio", [](const Batch& b, const at::Tensor& x) { importance_sampling_ratio(x, b, {}); }},
    {"gae", [](const Batch& b, const at::Tensor& x) { gae(x, x, b); }},
    {"outcome_rewards", [](const Batch& b, const at::Tensor& x) { outcome_rewards(x, b); }},
    {"value_loss", [](const Batch& b, const at::Tensor& x) { value_loss(x, at::ones({4}), at::ones({4}), b, loss_normalizer(b, 8)); }},
    {"sequence_logprobs", [](const Batch& b, const at::Tensor& x) { sequence_logprobs(x, b); }},
    {"preference_pairs", [](const Batch&, const at::Tensor& x) { preference_pairs(x, kGroups); }},
    {"dpo_loss", [](const Batch&, const at::Tensor& x) { dpo_loss(x, at::ones({2}), at::ones({2}), at::ones({2}), 2.0); }},
    {"bradley_terry_loss", [](const Batch&, const at::Tensor& x) { bradley_terry_loss(x, at::ones({2}), 2.0); }},
    {"kl_estimate", [](const Batch&, const at::Tensor& x) { kl_estimate(KlEstimator::kK3, x, at::ones({2})); }},
    {"policy_loss", [](const Batch& b, const at::Tensor& x) { policy_loss(x, {}, b, loss_normalizer(b, 8)); }},
    {"implicit_process_rewards", [](const Batch&, const at::Tensor& x) { implicit_process_rewards(x, at::ones({2}), 0.05); }},
    {"prime_loss", [](const Batch& b, const at::Tensor& x) { prime_loss(x, x, b, loss_normalizer(b, 8), {}); }},
};

class Wrong : public ::testing::TestWithParam<WrongCase> {};

TEST_P(Wrong, TensorsAreRefusedWithAnError) {
  const Batch batch = small_batch();
  const at::Tensor fits_nothing[] = {at::Tensor(), at::ones({3, 5}), at::ones({7})};
  for (const at::Tensor& tensor : fits_nothing) {
    try {
      GetParam().call(batch, tensor);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("frame #"), std::string::npos) << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Wrong, ::testing::ValuesIn(kWrong), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace grpo
