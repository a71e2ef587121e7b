#include <memory>

#include "c/guard.h"
#include "grpo/c.h"
#include "grpo/data/dataset.h"
#include "grpo/reward/config.h"
#include "grpo/reward/score.h"
#include "grpo/trainer/config.h"

struct grpo_reward {
  grpo::RewardSet functions;  // one
};

namespace grpo::c {
namespace {

/// The function with its options, read as an element of a config's list `reward` has them.
RewardSet make_reward(const char* name, const char* options) {
  RewardFunction function;
  function.name = name;
  ConfigSource source;
  source.add_text(R"({"options": )" + options_text(options) + "}", "options");
  read_described(source, [&function](ConfigVisitor& visitor) { visitor.options("options", function.options, ""); });
  return make_rewards({function}, builtin_rewards());
}

Score judge(RewardSet& functions, const char* problem_json, const char* text) {
  const Problem problem = parse_problem(problem_json, {}, "problem", 1);
  Completion completion;
  completion.problem = &problem;
  completion.text = text;
  RewardContext context;
  return score_all(functions, {&completion, 1}, context).front().scores.front();
}

}  // namespace
}  // namespace grpo::c

grpo_reward* grpo_reward_make(const char* name, const char* options) {
  grpo_reward* made = nullptr;
  grpo::c::guarded([&] {
    grpo::c::expect_given(name, "grpo_reward_make", "a name");
    made = new grpo_reward{grpo::c::make_reward(name, options)};
  });
  return made;
}

void grpo_reward_free(grpo_reward* reward) { delete reward; }

int grpo_score(grpo_reward* reward, const char* problem, const char* completion, double* score, char* reason, size_t capacity,
               size_t* length) {
  return grpo::c::guarded([&] {
    for (const void* given : {static_cast<const void*>(reward), static_cast<const void*>(problem), static_cast<const void*>(completion),
                              static_cast<const void*>(score)})
      grpo::c::expect_given(given, "grpo_score", "a reward, a problem, a completion and a place for the score");
    const grpo::Score verdict = grpo::c::judge(reward->functions, problem, completion);
    *score = verdict.value;
    grpo::c::give_text(verdict.reason, reason, capacity, length);
  });
}
