#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/reward/reward.h"

namespace grpo {

/// What a call of a reward is given, as one message between processes of this program and back. The context goes without metrics.
struct BatchMessage {
  std::vector<Problem> problems;        // each once
  std::vector<Completion> completions;  // of these problems
  RewardContext context;
  bool asks_unreadable = false;  // why the problems cannot be judged, as the reasons of as many scores, rather than verdicts
};
std::string batch_bytes(std::span<const Completion> batch, const RewardContext& context, bool asks_unreadable = false);
BatchMessage read_batch(std::string_view bytes);  // throws `Error` if they are none

/// What a call gives back: scores and metrics, or what it threw.
std::string verdict_bytes(std::span<const Score> scores, const RewardContext& context);
std::string fault_bytes(std::string_view message, ErrorKind kind);

/// Throws `Error` with what the call threw, or if the bytes are no verdicts on so many completions.
void read_verdicts(std::string_view bytes, std::span<Score> scores, RewardContext& context);

}  // namespace grpo
