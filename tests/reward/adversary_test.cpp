// Random edits of wrong completions never make them right. Oracles: readers of tags and of sums that are written otherwise than the
// rewards' own: one pass from left to right, regular expressions, and operator precedence by two stacks in floating point.
#include "reward/adversary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "reward/judge.h"

namespace grpo {
namespace {

using testing::Tokens;

struct Sum {
  double value = 0.0;
  std::vector<long> numbers;
};

/// Dijkstra's two stacks; nothing for what is no sum of whole numbers. Powers and signs count if `lenient` says so.
class TwoStacks {
 public:
  explicit TwoStacks(bool lenient = false) : lenient_(lenient), operations_(lenient ? "+-*/^" : "+-*/") {}
  std::optional<Sum> read(const std::string& text) {
    bool wants_number = true;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (std::string(" \t\n\v\f\r").find(c) != std::string::npos) continue;
      if (lenient_ && wants_number && (c == '+' || c == '-')) {
        if (c == '-') operators_.push_back('~');
      } else if (c == '(' && wants_number) {
        operators_.push_back(c);
      } else if (c >= '0' && c <= '9' && wants_number) {
        const size_t end = std::min(text.find_first_not_of("0123456789", i), text.size());
        if (end - i > 18 || (c == '0' && end - i > 1)) return std::nullopt;
        sum_.numbers.push_back(std::strtol(text.substr(i, end - i).c_str(), nullptr, 10));
        values_.push_back(static_cast<double>(sum_.numbers.back()));
        i = end - 1;
        wants_number = false;
      } else if (c == ')' && !wants_number) {
        while (!operators_.empty() && operators_.back() != '(') apply();
        if (operators_.empty()) return std::nullopt;
        operators_.pop_back();
      } else if (operations_.find(c) != std::string::npos && !wants_number) {
        while (!operators_.empty() && c != '^' && rank(operators_.back()) >= rank(c)) apply();
        operators_.push_back(c);
        wants_number = true;
      } else {
        return std::nullopt;
      }
    }
    if (wants_number) return std::nullopt;
    while (!operators_.empty()) {
      if (operators_.back() == '(') return std::nullopt;
      apply();
    }
    sum_.value = values_.back();
    return sum_;
  }

 private:
  static int rank(char c) { return c == '(' ? 0 : c == '+' || c == '-' ? 1 : c == '^' ? 3 : 2; }
  void apply() {
    const char c = operators_.back();
    operators_.pop_back();
    const double b = values_.back();
    if (c == '~') {
      values_.back() = -b;
      return;
    }
    values_.pop_back();
    const double a = values_.back(), nan = std::numeric_limits<double>::quiet_NaN();
    values_.back() = c == '+' ? a + b : c == '-' ? a - b : c == '*' ? a * b : c == '^' ? std::pow(a, b) : b == 0.0 ? nan : a / b;
  }
  bool lenient_;
  std::string operations_;
  std::vector<double> values_;
  std::string operators_;
  Sum sum_;
};

/// The last answer behind every thought, in one pass.
std::optional<std::string> last_answer(const std::string& text) {
  bool thinking = false;
  std::optional<size_t> open;
  std::optional<std::string> answer;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto here = [&](const char* tag) { return text.compare(i, std::string(tag).size(), tag) == 0; };
    if (here("<think>") || here("</think>")) {
      thinking = here("<think>");
      open.reset(), answer.reset();
    }
    if (here("<answer>")) open = i + 8;
    if (here("</answer>") && open) {
      answer = text.substr(*open, i - *open);
      open.reset();
    }
  }
  return thinking ? std::nullopt : answer;
}

bool makes_seven(const std::string& text) {
  const auto answer = last_answer(text);
  auto sum = answer && answer->size() <= 1000 ? TwoStacks().read(*answer) : std::nullopt;
  if (!sum) return false;
  std::ranges::sort(sum->numbers);
  return sum->numbers == std::vector<long>{1, 2, 3} && std::abs(sum->value - 7.0) < 1e-9;
}

size_t times(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t i = 0; i < text.size(); ++i) found += text.compare(i, part.size(), part) == 0 ? 1 : 0;
  return found;
}

/// What says something among the tokens of the grammar.
bool has_content(const std::string& text) {
  for (const char* sign : {"\uFF17", "\u00B2", "\u2212", "\u00D7", "\u0430", "\u7B54"}) {
    if (text.find(sign) != std::string::npos) return true;
  }
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x80 && std::isalnum(c) != 0; });
}

bool has_form(const std::string& text) {
  for (const char* tag : {"<think>", "</think>", "<answer>", "</answer>"}) {
    if (times(text, tag) != 1) return false;
  }
  std::smatch found;
  static const std::regex form(R"([ \t-\r]*<think>([^]*)</think>[ \t-\r]*<answer>([^]*)</answer>[ \t-\r]*)");
  return std::regex_match(text, found, form) && has_content(found[1].str()) && has_content(found[2].str());
}

Problem seven() {
  Problem problem;
  problem.fields = {{"numbers", "[1, 2, 3]"}, {"target", "7"}};
  return problem;
}

const Tokens kThoughtTokens = {"<think>", "2", " * ", "3", " is ", "so ", "</think>"};

Tokens operator+(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Adversary, MakesNoWrongCountdownRight) {
  const Problem problem = seven();
  const std::vector<Tokens> wrong = {
      kThoughtTokens + Tokens{"<answer>", "1", " + ", "2", " + ", "3", "</answer>"},
      kThoughtTokens + Tokens{"<answer>", "1", " + ", "2", " * ", "3", "=", "7", "</answer>"},
      kThoughtTokens + Tokens{"<answer>", "7", "</answer>"},
      Tokens{"<think>", "<answer>", "1", " + ", "2", " * ", "3", "</answer>", "</think>", "<answer>", "2", "</answer>"},
      Tokens{"<think>", "so ", "<answer>", "1", " + ", "2", " * ", "3", "</answer>"},
      Tokens{"<think>", "<answer>", "1", " + ", "2", " * ", "3", "</answer>", "so ", "</think>"},
      Tokens{"<answer>", "(", "1", "+", "2", ")", "*", "3", "</answer>"},
  };
  const int right = testing::walk(wrong, [&](const std::string& text) {
    const bool expected = makes_seven(text);
    RC_ASSERT((testing::judge("countdown", problem, text).value == 1.0) == expected);
    return expected;
  });
  EXPECT_GT(right, 0) << "no walk came upon a right completion: the test says little";
}

TEST(Adversary, MakesNoWrongFormRight) {
  const std::vector<Tokens> wrong = {
      kThoughtTokens + Tokens{"so ", "<answer>", "7", "</answer>"},
      kThoughtTokens + kThoughtTokens + Tokens{"<answer>", "7", "</answer>"},
      Tokens{"<think>", "\u200B", ".", "</think>", "\n", "<answer>", "7", "</answer>"},
      Tokens{"<think>", "so ", "<answer>", "7", "</answer>", "</think>"},
      kThoughtTokens + Tokens{"<answer x=1>", "7", "</answer>", "\u00A0"},
  };
  const int right = testing::walk(wrong, [](const std::string& text) {
    const bool expected = has_form(text);
    RC_ASSERT((testing::judge("format", Problem{}, text).value == 1.0) == expected);
    return expected;
  });
  EXPECT_GT(right, 0) << "no walk came upon a right completion: the test says little";
}

TEST(Adversary, GetsNoMorePartialCreditThanSingleTags) {
  testing::walk({kThoughtTokens + Tokens{"<answer>", "7", "</answer>", "</answer>"}}, [](const std::string& text) {
    double most = 0.0;
    for (const char* tag : {"<think>", "</think>", "<answer>", "</answer>"}) most += times(text, tag) == 1 ? 0.25 : 0.0;
    const double paid = testing::judge("tag_count", Problem{}, text).value;
    RC_ASSERT(paid <= most);
    const bool answered = last_answer(text).has_value();
    if (!answered && text.find("<think>") < text.find("<answer>") && text.find("</think>") == std::string::npos) RC_ASSERT(paid <= 0.25);
    return false;
  });
}

/// What stands in the last box behind every thought, or else in its last answer, or else behind its last ####: one pass again.
std::optional<std::string> last_final_answer(const std::string& text) {
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 8, "</think>") == 0) begin = i + 8;
  }
  std::optional<std::string> boxed, hashed;
  for (size_t i = begin; i < text.size(); ++i) {
    if (text.compare(i, 7, "<think>") == 0) return std::nullopt;
    if (text.compare(i, 4, "####") == 0) hashed = text.substr(i + 4, text.find('\n', i) - i - 4);
    if (text.compare(i, 7, "\\boxed{") != 0) continue;
    int depth = 1;
    size_t end = i + 7;
    for (; end < text.size() && depth > 0; ++end) depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
    boxed = depth == 0 ? std::optional(text.substr(i + 7, end - 1 - i - 7)) : std::nullopt;
  }
  if (boxed) return boxed;
  const auto tagged = last_answer(text);
  return tagged ? tagged : hashed;
}

/// Whether a person could read seven there: one sum of whole numbers of that value, whatever words, marks and signs of layout stand around.
bool may_be_seven(const std::string& text) {
  const auto answer = last_final_answer(text);
  if (!answer) return false;
  if (answer->find_first_of("!") != std::string::npos) return true;                    // factorials and amounts of money are not read here
  std::string sum = std::regex_replace(*answer, std::regex("([^0-9)])\u00B2"), "$1");  // of a unit, as in m\u00B2
  const std::vector<std::pair<std::string, std::string>> meanings = {{"\uFF17", "7"}, {"\u2212", "-"}, {"\u00D7", "*"}, {"\u00B2", "^2"},
                                                                     {"**", "^"},     {"\u200B", ""},  {"\u200F", ""},  {"\uFEFF", ""}};
  for (const auto& [sign, meaning] : meanings) {
    for (size_t at = sum.find(sign); at != std::string::npos; at = sum.find(sign)) sum.replace(at, sign.size(), meaning);
  }
  sum = std::regex_replace(sum, std::regex(R"((\d)\.0*(?!\d))"), "$1");  // 7.0
  for (char& c : sum) c = std::string("0123456789+-*/()^=").find(c) == std::string::npos ? ' ' : c;
  sum = std::regex_replace(sum, std::regex(R"(^[ ^]+|[ =^]+$)"), "");                               // **7**, 7 = x
  if (const size_t equals = sum.rfind('='); equals != std::string::npos) sum.erase(0, equals + 1);  // x = 7, 3 + 4 = 7
  sum = std::regex_replace(sum, std::regex(R"(([0-9)]) *(?=\())"), "$1*");                          // 7(1)
  sum = std::regex_replace(sum, std::regex(R"(\b0+(\d))"), "$1");                                   // 07
  const auto read = TwoStacks(true).read(sum);
  return read && std::abs(read->value - 7.0) < 1e-9;
}

// Wrong numbers, enumerations, several boxes and tags in thoughts. Oracle: the integer.
TEST(Adversary, MakesNoWrongAnswerRight) {
  const Problem problem = testing::problem_with_answer("7");
  const std::vector<Tokens> wrong = {
      kThoughtTokens + Tokens{"<answer>", "12", "</answer>"},
      kThoughtTokens + Tokens{"<answer>", "1", ", ", "2", ", ", "3", ", ", "7", "</answer>"},
      kThoughtTokens + Tokens{"so ", "\\boxed{", "7", "}", " or ", "\\boxed{", "3", "}"},
      kThoughtTokens + Tokens{"\\boxed{", "7", " or ", "3", "}"},
      Tokens{"<think>", "\\boxed{", "7", "}", "</think>", "the answer", " is ", "7"},
      Tokens{"<think>", "<answer>", "7", "</answer>", "</think>", "<answer>", "seven", " is ", "3", "</answer>"},
      kThoughtTokens + Tokens{"#### ", "7", "0"},
      kThoughtTokens + Tokens{"<answer>", "(", "1", "+", "2", ")", "*", "3", "</answer>", "7"},
  };
  const int right = testing::walk(wrong, [&](const std::string& text) {
    const Score score = testing::judge("accuracy", problem, text);
    if (score.value == 1.0) {
      RC_LOG() << last_final_answer(text).value_or("(none)") << " of " << text << ": " << score.reason;
      RC_ASSERT(may_be_seven(text));
    }
    return score.value == 1.0;
  });
  EXPECT_GT(right, 0) << "no walk came upon a right answer: the test says little";
}

/// A sum before `equals` that begins at or after `from` and has the value that follows.
bool is_right_equation(const std::string& text, size_t from, size_t equals, double value) {
  for (size_t begin = from; begin < equals; ++begin) {
    const bool negative = text[begin] == '-';
    const auto sum = TwoStacks().read((negative ? "0" : "") + text.substr(begin, equals - begin));
    if (sum && sum->numbers.size() >= (negative ? 3U : 2U) && std::abs(sum->value - value) < 1e-9) return true;
  }
  return false;
}

TEST(Adversary, MakesNoWrongEquationRight) {
  const std::vector<Tokens> wrong = {{"<think>", "1", "+", "2", "=", "7", "\n", "3", "*", "2", "=", "7", "</think>"},
                                     {"12", " - ", "3", "=", "7", ", ", "(", "1", " + ", "2", ")", "*", "3", "=", "0", "."}};
  const int right = testing::walk(wrong, [](const std::string& text) {
    size_t from = 0;
    bool any = false;
    for (const StepScore& step : testing::judge("equations", Problem{}, text).steps) {
      const size_t equals = text.rfind('=', step.end);
      RC_ASSERT(equals != std::string::npos && equals >= from);
      std::string number = text.substr(equals + 1, step.end - equals - 1);
      std::erase(number, ',');
      const bool expected = is_right_equation(text, from, equals, std::strtod(number.c_str(), nullptr));
      if (step.value == 1.0) RC_ASSERT(expected);
      any = any || step.value == 1.0;
      from = step.end;
    }
    return any;
  });
  EXPECT_GT(right, 0) << "no walk came upon a right equation: the test says little";
}

}  // namespace
}  // namespace grpo
