#pragma once

#include <string>

#include "grpo/reward/registry.h"

namespace grpo::testing {

inline Completion completion(const Problem& problem, const std::string& text, size_t tokens = 0) {
  Completion result;
  result.problem = &problem;
  result.text = text;
  result.ids.resize(tokens);
  return result;
}

/// The verdict of a built-in reward on one completion.
inline Score judge(const std::string& reward, const Problem& problem, const std::string& text, const RewardOptions& options = {},
                   size_t tokens = 0, int64_t max_completion_length = 0, const std::string& prompt = {}) {
  Completion given = completion(problem, text, tokens);
  given.prompt = prompt;
  Score score;
  RewardContext context;
  context.max_completion_length = max_completion_length;
  builtin_rewards().make(reward, options)->score({&given, 1}, {&score, 1}, context);
  return score;
}

inline Problem problem_with_answer(const std::string& answer) {
  Problem problem;
  problem.answer = answer;
  return problem;
}

}  // namespace grpo::testing
