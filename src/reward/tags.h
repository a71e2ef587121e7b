#pragma once

#include <array>
#include <string>
#include <string_view>

#include "grpo/data/types.h"

// What the rules take from the tags of the R1-Zero form. A tag is one of these texts to the byte; every other spelling is text.
namespace grpo {

/// In the form's order.
inline constexpr std::array<std::string_view, 4> kTags = {"<think>", "</think>", "<answer>", "</answer>"};

/// The completion as it goes on behind its prompt: with <think> before it if the prompt ends with that, or if `prefilled` says so.
std::string with_prefilled_think(const Completion& completion, bool prefilled = false);

/// What may be paid as an answer: what follows the last </think>, or the whole text if it has no tag of a thought. Nothing if a <think>
/// follows, which is not closed, and nothing but a thought where the prompt ends with <think> and no </think> comes.
std::string_view outside_thought(std::string_view text);
std::string_view outside_thought(const Completion& completion);

/// How many of `kTags` stand in `text` exactly once, those of an answer outside of the thought.
int single_tags(std::string_view text);

/// Whether `text` is nothing but white space, punctuation and characters that nobody sees.
bool says_nothing(std::string_view text);

}  // namespace grpo
