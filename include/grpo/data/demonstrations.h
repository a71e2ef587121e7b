#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// How a demonstration goes about its problem. Only `kCareful` is both right and well formed.
enum class DemonstrationKind {
  kCareful,      // <think>every running step</think><answer>right</answer>
  kGuess,        // <think></think><answer>near, seldom right</answer>
  kSlip,         // every step, one of them wrong and carried on: a wrong answer
  kUnformatted,  // every step and the right answer, with tags missing
};

/// One supervised pair for starting a model that reinforcement learning can improve.
struct Demonstration {
  std::string question;
  std::string completion;
  DemonstrationKind kind = DemonstrationKind::kCareful;
};

/// Relative shares of the kinds.
struct DemonstrationMix {
  double careful = 0.32;
  double guess = 0.50;
  double slip = 0.06;
  double unformatted = 0.12;
};

/// One demonstration for each problem of the task chained_arithmetic, drawn from (seed, Problem::index).
/// Throws if a question is no such chain, or the shares are negative or all zero.
std::vector<Demonstration> make_demonstrations(std::span<const Problem> problems, const DemonstrationMix& mix, uint64_t seed);

}  // namespace grpo
