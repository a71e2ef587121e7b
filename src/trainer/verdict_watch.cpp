#include "trainer/verdict_watch.h"

#include <algorithm>

#include "grpo/core/error.h"
#include "grpo/core/log.h"

namespace grpo {
namespace {

constexpr int64_t kSilent = 5, kEqual = 10;  // rollouts in a row before a warning

}  // namespace

void VerdictWatch::look(const VerdictCounts& counts, bool first, const std::vector<Problem>& problems) {
  if (counts.samples == 0) return;
  if (first && counts.verdicts == 0) {
    std::string functions;
    for (size_t f = 0; f < functions_.size(); ++f) {
      functions += (f > 0 ? ", " : "") + functions_[f] + ": " + std::to_string(counts.undefined[f]) + " of " +
                   std::to_string(counts.samples) + " undefined";
    }
    const bool answerless = std::ranges::all_of(problems, [](const Problem& problem) { return problem.answers().empty(); });
    const std::string message = "no sample of the first rollout has a verdict (" + functions + ")" +
                                (answerless ? "; no problem of the data has an answer, see data.train.fields.answer" : "") +
                                ". From such rewards nothing can be learnt";
    log_warn(message);
    fail("reward", message);
  }
  silent_ = counts.verdicts == 0 ? silent_ + 1 : 0;
  equal_ = counts.varied == 0 ? equal_ + 1 : 0;
  if (silent_ == kSilent) log_warn("no sample of the last " + std::to_string(kSilent) + " rollouts has a verdict: nothing is learnt");
  if (compares_ && equal_ == kEqual && silent_ < kEqual) {
    log_warn("the rewards of each group were equal in the last " + std::to_string(kEqual) +
             " rollouts: nothing is learnt. The problems may be too easy or too hard, or the reward may not look at the completion");
  }
}

}  // namespace grpo
