#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace grpo {

/// The program of a completion: what stands in its last block of Python. A block begins with a line that is "```python" or "```py" and ends
/// with a line that is "```", white space at their ends apart; blocks of other languages are passed over, with what looks like a beginning
/// in them. None where the last block has no end. Only what follows the last </think> is read, up to a <think> in it; with
/// `think_prefilled`, where the completion begins inside a thought, nothing before a </think>.
std::optional<std::string> last_code_block(std::string_view completion, bool think_prefilled);

}  // namespace grpo
