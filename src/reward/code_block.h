#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace grpo {

/// The program in what a completion says outside of its thought: what stands in its last block of Python. A block begins with a line that
/// is "```python" or "```py" and ends with a line that is "```", white space at their ends apart; blocks of other languages are passed
/// over, with what looks like a beginning in them. None where the last block has no end.
std::optional<std::string> last_code_block(std::string_view text);

}  // namespace grpo
