#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/data/source.h"

namespace grpo {

/// Leaves out the problems whose sequences are longer than the model takes, and what was made of them, or throws a usage error that names
/// the first one, as `choice` says. `examples` are parallel to `problems`; `tokens(example)` is a sequence's length. Throws if nothing is
/// left.
template <class Example, class Tokens>
void leave_out_overlong(std::vector<Problem>& problems, std::vector<Example>& examples, int64_t longest, DataSection::Overlong choice,
                        const Tokens& tokens) {
  size_t kept = 0;
  for (size_t i = 0; i < problems.size(); ++i) {
    const int64_t length = tokens(examples[i]);
    if (length > longest) {
      if (choice == DataSection::Overlong::kDrop) continue;
      fail_usage("data", "problem " + std::to_string(problems[i].index) + " has " + std::to_string(length) + " tokens; the model takes " +
                             std::to_string(longest) + ". data.overlong_prompts=drop leaves such problems out");
    }
    if (kept != i) {
      problems[kept] = std::move(problems[i]);
      examples[kept] = std::move(examples[i]);
    }
    ++kept;
  }
  if (kept == 0) fail_usage("data", "every problem has more than the " + std::to_string(longest) + " tokens that the model takes");
  if (kept < problems.size())
    log_warn(std::to_string(problems.size() - kept) + " of " + std::to_string(problems.size()) +
             " problems are too long for the model and were left out");
  problems.resize(kept);
  examples.resize(kept);
}

}  // namespace grpo
