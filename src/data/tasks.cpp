#include "grpo/data/tasks.h"

#include <algorithm>
#include <unordered_set>

#include "data/builtin_tasks.h"
#include "grpo/core/error.h"
#include "grpo/data/dataset.h"

namespace grpo {
namespace {

/// FNV-1a with a final mix, so that every bit depends on every byte: the split of a problem must never change.
uint64_t hash_text(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33);
}

Split split_of(std::string_view key) { return hash_text(key) % 10 == 0 ? Split::kTest : Split::kTrain; }

}  // namespace

std::string Task::key(const Problem& problem) const { return problem_key(problem); }

TaskRegistry builtin_tasks() {
  TaskRegistry registry("task");
  registry.add("countdown", make_countdown_task);
  registry.add("chained_arithmetic", make_chained_arithmetic_task);
  return registry;
}

void check_operations(std::string_view where, const std::string& operations, std::string_view allowed) {
  std::string sorted = operations;
  std::sort(sorted.begin(), sorted.end());
  const bool repeated = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  if (operations.empty() || repeated || operations.find_first_not_of(allowed) != std::string::npos) {
    fail_usage(where, "expected 'operations' out of " + std::string(allowed) + ", each once; got '" + operations + "'");
  }
}

std::vector<Problem> generate_problems(const Task& task, Split split, int64_t count, uint64_t seed) {
  GRPO_CHECK(count >= 0, "generate_problems", "expected a count of at least 0; got " + std::to_string(count));
  const int64_t patience = 10'000 + 20 * std::min<int64_t>(count, 10'000'000);
  Random random(seed, static_cast<uint64_t>(split));
  std::unordered_set<std::string> seen;
  std::vector<Problem> problems;
  for (int64_t failures = 0; static_cast<int64_t>(problems.size()) < count;) {
    Problem problem = task.make(random);
    std::string key = task.key(problem);
    if (split_of(key) == split && seen.insert(std::move(key)).second) {
      problem.index = static_cast<int64_t>(problems.size());
      problems.push_back(std::move(problem));
      failures = 0;
    } else if (++failures == patience) {
      fail("generate_problems", "expected " + std::to_string(count) + " different problems; got " + std::to_string(problems.size()) +
                                    " before the task only repeated itself: ask for fewer, or give it more room");
    }
  }
  return problems;
}

}  // namespace grpo
