#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "grpo/policy/experience.h"
#include "grpo/reward/score.h"
#include "grpo/text/tokenizer.h"

namespace grpo {

/// The bytes of a completion's text (special tokens skipped) that are complete with each of its ids: a character belongs to the id that
/// brings its last byte.
std::vector<size_t> text_ends(const Tokenizer& tokenizer, std::span<const int32_t> ids);

/// The steps' rewards by id, NaN where no step ends; the mean of several that end in one id.
std::vector<double> rewards_by_id(const Tokenizer& tokenizer, std::span<const int32_t> ids, const std::vector<StepScore>& steps);

/// Those of every sample, by the function called `wanted`, or where that is empty by the first one that judged any step. Throws where none
/// did.
std::vector<std::vector<double>> step_rewards(const Tokenizer& tokenizer, const Experience& experience,
                                              const std::vector<std::string>& functions, const std::string& wanted);

}  // namespace grpo
