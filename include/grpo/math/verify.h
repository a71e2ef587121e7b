#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "grpo/api.h"

namespace grpo {
struct Reading;  // not public
}  // namespace grpo

namespace GRPO_API grpo {

/// A final answer as it was read: a value, a list, a set, an interval, a matrix, an equation, a word, in LaTeX or plain text.
class MathAnswer {
 public:
  /// `text` is the answer alone; $…$, \boxed{…}, a full stop and the like around it do not count.
  explicit MathAnswer(std::string_view text);

  /// Whether an answer can agree with it. False for prose, for what is empty, broken or longer than 4,000 bytes.
  bool readable() const;
  const std::string& problem() const;  // why it is not readable, in words; else empty
  bool is_mathematics() const;         // and neither words nor notation that is compared as it stands
  std::string to_string() const;       // what was read, in plain notation: "{1, -1/2}"; the text itself where it is no mathematics

 private:
  friend struct MathAnswers;
  std::shared_ptr<const Reading> reading_;
};

enum class UnitRule {
  kOptional,  // compared if both answers have one
  kRequired,  // both answers have the same or none has one
};

/// How strictly answers are compared.
struct MathOptions {
  double tolerance = 0.0;  // of real numbers, relative to the gold's; 0: exact
  UnitRule units = UnitRule::kOptional;
};

enum class Agreement {
  kEqual,
  kDifferent,
  kUnreadable,      // the given answer
  kUndecided,       // by no rule, or not within the steps that are allowed
  kGoldUnreadable,  // no verdict is possible
};

/// The most steps that one comparison takes; a step is about a product of two machine words.
inline constexpr int64_t kMaxSteps = 100'000;

struct MathVerdict {
  Agreement agreement = Agreement::kDifferent;
  std::string reason;  // for people: "equal", "two units"
  int64_t steps = 0;   // at most a little above `kMaxSteps`
};

/// Whether `given` says the same as `gold`. Values are equal if they are so exactly, or, where roots and functions are in them, to hundreds
/// of digits, at several values of their letters. src/math/README.md has the rules. No threads, no signals, bounded work for any input.
MathVerdict compare(const MathAnswer& gold, const MathAnswer& given, const MathOptions& options = {});

/// The same of two texts, whether they agree.
inline bool answers_equal(std::string_view gold, std::string_view given) {
  return compare(MathAnswer(gold), MathAnswer(given)).agreement == Agreement::kEqual;
}

}  // namespace grpo
