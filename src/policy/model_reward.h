#pragma once

#include <memory>

#include "grpo/data/options.h"
#include "grpo/reward/reward.h"

namespace grpo {

/// The reward «reward_model»: the score that a trained reward model (`grpo reward-model`, or any sequence classifier with one label) gives
/// to prompt and completion. Options: path, a model folder with its tokenizer; add_special_tokens, whether the tokenizer adds its own
/// before the prompt (true; false for chat prompts, which bring theirs: completions then end as the chat template ends a turn).
std::unique_ptr<Reward> make_model_reward(const NamedOptions& options);

}  // namespace grpo
