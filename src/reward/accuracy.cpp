#include <algorithm>
#include <string>
#include <vector>

#include "grpo/data/strings.h"
#include "grpo/math/verify.h"
#include "grpo/reward/answer.h"
#include "reward/builtin.h"
#include "reward/tags.h"

namespace grpo {
namespace {

constexpr size_t kShown = 80;  // bytes of an answer in a reason

enum class ComparedAs { kMathematics, kText };

struct AccuracyOptions {
  Extraction extract = Extraction::kAny;
  ComparedAs compare = ComparedAs::kMathematics;
  MathOptions mathematics;
  double correct = 1.0;
  double wrong = 0.0;
};

/// The same for evaluation, which also takes an answer that is said in a sentence.
struct MathOptionsForEvaluation : AccuracyOptions {
  MathOptionsForEvaluation() { extract = Extraction::kLenient; }
};

void describe(ConfigVisitor& visitor, AccuracyOptions& options) {
  visitor.enumeration("extract", options.extract, {"answer", "boxed", "hash", "any", "lenient", "last_integer"},
                      "where the final answer is looked for");
  visitor.enumeration("compare", options.compare, {"math", "text"}, "by what the answers mean, or letter by letter but for white space");
  visitor.field("tolerance", options.mathematics.tolerance, "relative difference of real numbers that is allowed; 0: none", {.min = 0.0});
  visitor.enumeration("units", options.mathematics.units, {"optional", "required"}, "whether a unit may be missing in one of the answers");
  visitor.field("correct", options.correct, "score of a right answer");
  visitor.field("wrong", options.wrong, "score of a wrong or missing answer");
}

/// Whether the final answer agrees with one of the problem's; no verdict where the problem has none that can be read.
class AccuracyReward final : public CompletionReward {
 public:
  explicit AccuracyReward(const AccuracyOptions& options) : options_(options) {}

  std::string unreadable(const Problem& problem) const override {
    const auto golds = gold_answers(problem);
    if (golds.empty()) return "the problem has no answer";
    if (options_.compare == ComparedAs::kText) return {};
    std::string why;
    for (const std::string& text : golds) {
      const MathAnswer gold(text);
      if (gold.readable()) return {};
      why = gold.problem() + ": '" + clip_text(text, kShown) + "'";
    }
    return why;
  }

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const auto golds = gold_answers(*completion.problem);
    if (golds.empty()) return Score::undefined("the problem has no answer", kUnreadableGold);
    const auto given = extract_answer(outside_thought(completion), options_.extract);
    if (options_.compare == ComparedAs::kText) return as_texts(golds, given);
    return as_mathematics(golds, given);
  }

  static Score scored(double value, std::string reason, std::string kind, std::string gold, std::string given) {
    Score result(value, std::move(reason), std::move(kind));
    result.gold = std::move(gold);
    result.given = std::move(given);
    return result;
  }

  Score as_texts(const std::vector<std::string>& golds, const std::optional<std::string>& given) const {
    if (!given) return scored(options_.wrong, "no final answer found", "no final answer", golds.front(), "");
    const std::string text = collapse_white_space(*given);
    for (const std::string& gold : golds)
      if (collapse_white_space(gold) == text) return scored(options_.correct, "the same text", kRight, gold, text);
    return scored(options_.wrong, "'" + clip_text(text, kShown) + "' is another text", "different answer", golds.front(), text);
  }

  Score as_mathematics(const std::vector<std::string>& golds, const std::optional<std::string>& given) const;

  AccuracyOptions options_;
};

std::string quoted(const std::string& text) { return "'" + clip_text(text, kShown) + "'"; }

Score AccuracyReward::as_mathematics(const std::vector<std::string>& golds, const std::optional<std::string>& given) const {
  const MathAnswer answer(given.value_or(""));
  Score verdict = Score::undefined();
  for (const std::string& text : golds) {
    const MathAnswer gold(text);
    const std::string wanted = gold.to_string(), got = given ? answer.to_string() : std::string();
    if (!gold.readable()) {
      if (verdict.kind.empty()) {
        verdict = scored(Score::undefined().value, "the right answer cannot be read: " + gold.problem(), kUnreadableGold,
                         clip_text(wanted, kShown), got);
      }
      continue;
    }
    const bool first = !verdict.defined();
    if (!given) return scored(options_.wrong, "no final answer found", "no final answer", wanted, got);
    const MathVerdict compared = compare(gold, answer, options_.mathematics);
    switch (compared.agreement) {
      case Agreement::kEqual:
        return scored(options_.correct, quoted(*given) + " equals " + quoted(text) + ": " + compared.reason, kRight, wanted, got);
      case Agreement::kUnreadable:
        if (first)
          verdict = scored(options_.wrong, quoted(*given) + " cannot be read: " + compared.reason, "answer not readable", wanted, *given);
        break;
      case Agreement::kUndecided:
        verdict = scored(options_.wrong, quoted(*given) + " and " + quoted(text) + ": " + compared.reason, "undecided", wanted, got);
        break;
      default:
        if (first)
          verdict = scored(options_.wrong, quoted(*given) + " differs from " + quoted(text) + ": " + compared.reason, "different answer",
                           wanted, got);
    }
  }
  if (verdict.defined() && golds.size() > 1) verdict.reason += ", and of " + std::to_string(golds.size()) + " answers none agrees";
  return verdict;
}

}  // namespace

std::unique_ptr<Reward> make_accuracy_reward(const RewardOptions& options) {
  return std::make_unique<AccuracyReward>(read_options<AccuracyOptions>("accuracy", options));
}

std::unique_ptr<Reward> make_math_reward(const RewardOptions& options) {
  return std::make_unique<AccuracyReward>(read_options<MathOptionsForEvaluation>("math", options));
}

}  // namespace grpo
