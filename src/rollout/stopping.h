#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grpo/text/tokenizer.h"
#include "plan.h"

// When a completion ends.
namespace grpo {

/// Finds the first stop string in a growing text.
class StopStrings {
 public:
  StopStrings(const Tokenizer& tokenizer, const std::vector<std::string>& stop);
  /// Whether the text contains one of them now.
  bool push(int32_t id);

 private:
  StreamDecoder decoder_;
  const std::vector<std::string>* stop_;
  size_t longest_ = 0;
  std::string tail_;
};

/// What tells a sample's end beside its length.
struct Stopping {
  std::optional<StopStrings> strings;  // none are asked for
  int64_t certain = 0;                 // tokens in a row, up to the last, that were all but certain
};

/// For a rollout that begins, or goes on after the tokens that it has.
Stopping begin_stopping(const GeneratePlan& plan, const Rollout& rollout);

/// Why the rollout of a prompt ends with its last token; nothing if it goes on.
std::optional<FinishReason> finish_of(const GeneratePlan& plan, const Prompt& prompt, const Rollout& rollout, Stopping& stopping);

}  // namespace grpo
