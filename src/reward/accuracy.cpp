#include "grpo/data/strings.h"
#include "grpo/reward/answer.h"
#include "reward/builtin.h"

namespace grpo {
namespace {

struct AccuracyOptions {
  Extraction extract = Extraction::kAny;
  double correct = 1.0;
  double wrong = 0.0;
};

void describe(ConfigVisitor& visitor, AccuracyOptions& options) {
  visitor.enumeration("extract", options.extract, {"answer", "boxed", "hash", "any", "last_integer"},
                      "where the final answer is looked for");
  visitor.field("correct", options.correct, "score of a right answer");
  visitor.field("wrong", options.wrong, "score of a wrong or missing answer");
}

/// Whether the final answer agrees with one of the problem's; no verdict where the problem has none.
class AccuracyReward final : public CompletionReward {
 public:
  explicit AccuracyReward(const AccuracyOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const auto golds = gold_answers(*completion.problem);
    if (golds.empty()) return Score::undefined("the problem has no answer");
    const auto given = extract_answer(completion.text, options_.extract);
    if (!given) return {options_.wrong, "no final answer found"};
    const std::string shown = "answer '" + clip_text(*given, 80) + "'";
    if (const auto gold = equal_answer(golds, *given)) return {options_.correct, shown + " equals '" + clip_text(*gold, 80) + "'"};
    const std::string others = golds.size() > 1 ? " and " + std::to_string(golds.size() - 1) + " more" : "";
    return {options_.wrong, shown + " differs from '" + clip_text(golds.front(), 80) + "'" + others};
  }

  AccuracyOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_accuracy_reward(const RewardOptions& options) {
  return std::make_unique<AccuracyReward>(read_options<AccuracyOptions>("accuracy", options));
}

}  // namespace grpo
