#include "reward/code_block.h"

#include "grpo/data/strings.h"

namespace grpo {
namespace {

constexpr std::string_view kFence = "```";

std::string_view without_end_space(std::string_view line) {
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  return line;
}

}  // namespace

std::optional<std::string> last_code_block(std::string_view text) {
  std::string_view left = text;
  std::optional<std::string> last;
  bool inside = false, python = false;
  std::string block;
  while (!left.empty()) {
    const size_t end = left.find('\n');
    const std::string_view whole = left.substr(0, end == std::string_view::npos ? left.size() : end + 1), line = without_end_space(whole);
    left.remove_prefix(whole.size());
    if (!inside && line.starts_with(kFence)) {
      inside = true;
      python = line == "```python" || line == "```py";
      if (python) last.reset();
      block.clear();
    } else if (inside && line == kFence) {
      inside = false;
      if (python) last = block;
    } else if (inside) {
      block += whole;
    }
  }
  return last;
}

}  // namespace grpo
