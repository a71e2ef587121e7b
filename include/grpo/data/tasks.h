#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/random.h"
#include "grpo/data/factory_table.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// A source of generated problems. Immutable: all randomness comes in as an argument.
class Task {
 public:
  virtual ~Task() = default;
  /// Draws one problem; its index is set by the caller.
  virtual Problem make(Random& random) const = 0;
  /// Equal for problems that count as the same; by default `problem_key`.
  virtual std::string key(const Problem& problem) const;
};

/// The generated tasks by name. Options are read by each task's factory:
///
/// countdown: reach a target from numbers, each used once. `numbers` (4, count), `max_number` (99), `max_target` (100), `operations`
/// ("+-*/").
///   Every problem is solvable: the target is the value of a drawn expression, which is the `solution`. `fields` has "numbers" (a JSON
///   array) and "target"; `answer` stays empty because many expressions are right.
/// chained_arithmetic: a sum such as "3+5-2+7=?". `terms` (4), `digits` (1, of every number; no leading zeros), `operations` ("+-").
///   `solution` has the running results, "3+5=8 8-2=6 6+7=13".
using TaskRegistry = FactoryTable<Task>;
TaskRegistry builtin_tasks();

enum class Split { kTrain, kTest };

/// `count` different problems of one split, with indices 0 … count-1. A hash of a problem's key decides its split (one in ten is a test
/// problem), so the splits are disjoint whatever the seeds. Deterministic in (task, split, seed), and a larger count only appends. Throws
/// if no new problem turned up in 10,000 + 20·count draws: the task has no `count` different ones.
std::vector<Problem> generate_problems(const Task& task, Split split, int64_t count, uint64_t seed);

}  // namespace grpo
