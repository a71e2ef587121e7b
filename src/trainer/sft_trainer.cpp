#include <algorithm>
#include <memory>
#include <span>

#include "grpo/algorithm/loss.h"
#include "grpo/core/error.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/overlong.h"

namespace grpo {

/// Prompt and completion as ids, the end token included.
struct SupervisedExample {
  std::vector<int32_t> ids;
  int64_t prompt_length = 0;
};

namespace {

PackedTokens pack(const std::vector<const SupervisedExample*>& examples) {
  PackedTokens batch;
  for (size_t s = 0; s < examples.size(); ++s) {
    const std::span<const int32_t> ids(examples[s]->ids);
    const int64_t begin = batch.add_segment(ids.first(ids.size() - 1));  // nothing is predicted from the last id
    const auto first = std::max<int64_t>(1, examples[s]->prompt_length);
    batch.add_pairs(begin + first - 1, ids.subspan(static_cast<size_t>(first)), static_cast<int64_t>(s));
  }
  return batch;
}

/// Cuts examples, in order, into runs of at most `max_tokens` tokens.
std::vector<std::vector<const SupervisedExample*>> cut(const std::vector<const SupervisedExample*>& examples, int64_t max_tokens) {
  std::vector<std::vector<const SupervisedExample*>> parts;
  int64_t tokens = 0;
  for (const SupervisedExample* example : examples) {
    const auto size = static_cast<int64_t>(example->ids.size());
    if (parts.empty() || tokens + size > max_tokens) {
      parts.emplace_back();
      tokens = 0;
    }
    parts.back().push_back(example);
    tokens += size;
  }
  return parts;
}

}  // namespace

struct SftTrainer::Impl {
  std::vector<SupervisedExample> examples;
};

SftTrainer::SftTrainer(const Config& config, TrainerParts parts, const Registry& registry) try
    : Trainer(config, std::move(parts), registry, Command::kSft), impl_(std::make_unique<Impl>()) {
  std::vector<std::string> completions;
  if (config_.data.demonstrations) {
    for (auto& d : make_demonstrations(problems_, config_.data.mix, static_cast<uint64_t>(config_.trainer.seed))) {
      completions.push_back(std::move(d.completion));
    }
  } else {
    for (const auto& problem : problems_) completions.push_back(problem.solution);
  }
  for (size_t i = 0; i < problems_.size(); ++i) {
    GRPO_CHECK(!completions[i].empty(), "sft", "problem " + std::to_string(problems_[i].index) + " has no solution to learn from");
    SupervisedExample example;
    example.ids = policy_->encode_prompt(problems_[i], config_.data.prompt).ids;
    example.prompt_length = static_cast<int64_t>(example.ids.size());
    const auto completion = policy_->encode_completion(problems_[i], config_.data.prompt, completions[i]);
    example.ids.insert(example.ids.end(), completion.begin(), completion.end());
    impl_->examples.push_back(std::move(example));
  }
  leave_out_overlong(problems_, impl_->examples, policy_->model->config().max_position_embeddings, config_.data.overlong_prompts,
                     [](const SupervisedExample& example) { return static_cast<int64_t>(example.ids.size()); });
  plan_steps(config_.trainer.batch_size);
} catch (...) {
  rethrow_as_error("SftTrainer");
}

SftTrainer::~SftTrainer() = default;

Metrics SftTrainer::update() {
  std::vector<const SupervisedExample*> examples;  // of all ranks
  double targets = 0.0;
  for (const int64_t item : next_items(config_.trainer.batch_size)) {
    examples.push_back(&impl_->examples[static_cast<size_t>(item)]);
    targets += static_cast<double>(static_cast<int64_t>(examples.back()->ids.size()) - examples.back()->prompt_length);
    tokens_seen_ += static_cast<double>(examples.back()->ids.size());
  }
  const auto loss = [targets](const TokenOutputs& outputs, size_t /*micro_batch*/) {
    LossOutput out;
    out.loss = outputs.logprobs.sum().div(-targets);
    out.metrics["entropy"] = {.value = outputs.entropy.detach().sum().item<double>(),
                              .count = static_cast<double>(outputs.entropy.numel())};
    return out;
  };
  const Share share = share_of(static_cast<int64_t>(examples.size()), *communicator_);
  const std::vector<const SupervisedExample*> mine(examples.begin() + share.begin, examples.begin() + share.end);
  std::vector<PackedTokens> micro_batches;
  for (const auto& part : cut(mine, config_.trainer.max_tokens)) micro_batches.push_back(pack(part));
  return learn(micro_batches, loss);
}

std::vector<std::string> SftTrainer::plan_lines() const {
  return {"batch: " + std::to_string(config_.trainer.batch_size) + " examples, packed into micro-batches of " +
          std::to_string(config_.trainer.max_tokens) + " tokens"};
}

}  // namespace grpo
