#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>

#include "grpo/algorithm/dpo.h"
#include "grpo/core/error.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"
#include "objective/pair_loss.h"
#include "objective/reference.h"
#include "trainer/data_order.h"
#include "trainer/gradient_step.h"
#include "trainer/overlong.h"

namespace grpo {

namespace {

using EncodedPair = Policy::EncodedPair;

/// Chosen and rejected answer to each problem: its columns of these names or, of a generated task, a careful demonstration and one that is
/// not.
std::vector<std::pair<GivenAnswer, GivenAnswer>> answers_of(const std::vector<Problem>& problems, const Config& config) {
  std::vector<std::pair<GivenAnswer, GivenAnswer>> answers;
  if (config.data.train.task.empty()) {
    for (const auto& problem : problems) answers.emplace_back(given_answer(problem, "chosen"), given_answer(problem, "rejected"));
    return answers;
  }
  DemonstrationMix worse = config.data.mix;
  worse.careful = 0.0;
  const auto seed = static_cast<uint64_t>(config.trainer.seed);
  auto chosen = make_demonstrations(problems, {.careful = 1.0, .guess = 0.0, .slip = 0.0, .unformatted = 0.0}, seed);
  auto rejected = make_demonstrations(problems, worse, seed);
  for (size_t i = 0; i < problems.size(); ++i) {
    answers.emplace_back(GivenAnswer{std::move(chosen[i].completion)}, GivenAnswer{std::move(rejected[i].completion)});
  }
  return answers;
}

Batch make_pair_batch(const std::vector<const EncodedPair*>& pairs) {
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < pairs.size(); ++i) {
    for (const auto* completion : {&pairs[i]->chosen, &pairs[i]->rejected}) {
      sequences.push_back({.group = static_cast<int64_t>(i), .prompt_ids = pairs[i]->prompt, .ids = *completion, .logprobs = {}});
    }
  }
  Batch batch = make_batch(sequences, {});
  std::vector<float> chosen;
  for (const int32_t sample : batch.sequence_of) chosen.push_back(sample % 2 == 0 ? 1.0F : 0.0F);
  batch.columns["chosen"] = at::tensor(chosen);
  return batch;
}

/// The last row of each completion: where a reward model judges.
PackedTokens last_rows(const Batch& batch) {
  PackedTokens rows = batch;
  rows.rows.clear();
  rows.targets.clear();
  rows.sequence_of.clear();
  for (const auto& segment : batch.segments) {
    if (segment.prefix_end == segment.prefix_begin) continue;
    rows.add_pair(segment.end - 1, 0, rows.num_pairs());
  }
  return rows;
}

}  // namespace

struct PreferenceTrainer::Impl {
  bool reward_model;
  std::vector<EncodedPair> pairs;
  std::unique_ptr<ReferencePolicy> reference;  // of DPO
};

PreferenceTrainer::PreferenceTrainer(const Config& config, TrainerParts parts, const Registry& registry, Command command) try
    : Trainer(config, std::move(parts), registry, command), impl_(std::make_unique<Impl>()) {
  impl_->reward_model = command == Command::kRewardModel;
  Transformer& model = *policy_->model;
  if (impl_->reward_model) {
    model.become_classifier();
    adopt({{.name = "value_head", .arenas = {model.value_head()}, .optim = config_.optim}});
  } else {
    impl_->reference = std::make_unique<ReferencePolicy>(model, config_.algorithm, true);
    adopt(impl_->reference->models());
  }
  const auto answers = answers_of(problems_, config_);
  for (size_t i = 0; i < problems_.size(); ++i)
    impl_->pairs.push_back(policy_->encode_pair(problems_[i], config_.data.prompt, answers[i].first, answers[i].second));
  leave_out_overlong(problems_, impl_->pairs, model.config().max_position_embeddings, config_.data.overlong_prompts,
                     [](const EncodedPair& pair) {
                       return static_cast<int64_t>(pair.prompt.size() + std::max(pair.chosen.size(), pair.rejected.size()));
                     });
  plan_steps(config_.trainer.batch_size);
} catch (...) {
  rethrow_as_error("PreferenceTrainer");
}

PreferenceTrainer::~PreferenceTrainer() = default;

Metrics PreferenceTrainer::update() {
  std::vector<const EncodedPair*> pairs;  // of all ranks
  for (const int64_t item : order_->next(config_.trainer.batch_size)) pairs.push_back(&impl_->pairs[static_cast<size_t>(item)]);
  Batch whole = make_pair_batch(pairs);
  tokens_seen_ += static_cast<double>(whole.num_tokens());
  if (impl_->reference) whole.ref_logprobs = impl_->reference->logprobs(whole, 1.0, config_.trainer.max_tokens, *communicator_);

  GradientStep step(*policy_->model, *models_, *communicator_);
  const auto count = static_cast<double>(pairs.size());
  const Share share = share_of(static_cast<int64_t>(pairs.size()), *communicator_);
  if (share.size() > 0) {
    std::vector<int64_t> mine(static_cast<size_t>(2 * share.size()));
    std::iota(mine.begin(), mine.end(), 2 * share.begin);
    for (const auto& micro : whole.select(mine).split({.max_tokens = config_.trainer.max_tokens, .keep_groups = true}))
      learn(step, micro.to(policy_->model->device()), count);
  }
  Metrics metrics = apply(step);
  if (impl_->reference) impl_->reference->end_step(steps_done_ + 1);
  return metrics;
}

void PreferenceTrainer::learn(GradientStep& step, const Batch& micro, double pairs) {
  const bool judge = impl_->reward_model;
  BackwardOptions options = backward_options();
  options.logprobs = !judge;
  options.values = judge;
  step.pass(*policy_->model, judge ? last_rows(micro) : static_cast<const PackedTokens&>(micro), options, [&](const TokenOutputs& outputs) {
    if (!judge) return pair_loss(outputs.logprobs, micro, pairs, config_.algorithm.dpo);
    const auto [chosen, rejected] = by_preference(outputs.values, first_is_chosen(micro));
    return bradley_terry_loss(chosen, rejected, pairs);
  });
}

std::vector<std::string> PreferenceTrainer::plan_lines() const {
  return {"batch: " + std::to_string(config_.trainer.batch_size) + " pairs, packed into micro-batches of " +
          std::to_string(config_.trainer.max_tokens) + " tokens"};
}

}  // namespace grpo
