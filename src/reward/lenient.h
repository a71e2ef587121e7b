#pragma once

#include <optional>
#include <string_view>

namespace grpo {

/// The answer in a text that says it in a sentence: what follows its last "answer is" or "answer:", its last formula or its last number.
/// `marked`: the text stood where an answer belongs, and is one itself unless it is a sentence.
std::optional<std::string_view> lenient_answer(std::string_view text, bool marked);

}  // namespace grpo
