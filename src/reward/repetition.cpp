#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_map>

#include "grpo/data/strings.h"
#include "math/latex.h"
#include "reward/builtin.h"

namespace grpo {
namespace {

constexpr size_t kLongestWord = 32, kPiece = 8;  // bytes
constexpr const char* kNoRepetition = "no repetition";

struct RepetitionOptions {
  int64_t ngram = 3;
  double max_penalty = 1.0;
};

void describe(ConfigVisitor& visitor, RepetitionOptions& options) {
  visitor.field("ngram", options.ngram, "words in a row that are compared", {.min = 1, .max = 64});
  visitor.field("max_penalty", options.max_penalty, "what a text that only repeats itself would lose", kNonNegative);
}

/// `word` as it is compared: in lower case, without ASCII punctuation at its ends unless it is nothing else.
std::string compared(std::string_view word) {
  const auto is_letter = [](char c) { return is_digit(c) || is_ascii_letter(c) || static_cast<signed char>(c) < 0; };
  const auto first = std::ranges::find_if(word, is_letter);
  if (first != word.end()) {
    word.remove_prefix(static_cast<size_t>(first - word.begin()));
    while (!is_letter(word.back())) word.remove_suffix(1);
  }
  return lower_case(word);
}

/// The words of `text`, equal ones by equal numbers; what is too long for a word, such as a sentence without white space, in pieces.
std::vector<size_t> number_words(std::string_view text) {
  std::unordered_map<std::string, size_t> numbers;
  std::vector<size_t> words;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const auto length = static_cast<size_t>(std::find_if(text.begin(), text.end(), is_space) - text.begin());
    const std::string word = compared(text.substr(0, length));
    const size_t piece = word.size() > kLongestWord ? kPiece : kLongestWord;
    for (size_t at = 0; at < word.size(); at += piece) {
      const size_t number = numbers.size();
      words.push_back(numbers.emplace(word.substr(at, piece), number).first->second);
    }
    text.remove_prefix(length);
  }
  return words;
}

/// -max_penalty · (1 - different n-grams / n-grams), over words; 0 for texts shorter than one n-gram.
class RepetitionReward final : public CompletionReward {
 public:
  explicit RepetitionReward(const RepetitionOptions& options) : options_(options) {}

 private:
  Score judge(const Completion& completion, const RewardContext&) const override {
    const std::vector<size_t> words = number_words(completion.text);
    const auto n = static_cast<size_t>(options_.ngram);
    if (words.size() < n) return {0.0, "", kNoRepetition};
    std::vector<std::span<const size_t>> grams;
    for (size_t i = 0; i + n <= words.size(); ++i) grams.push_back(std::span(words).subspan(i, n));
    std::sort(grams.begin(), grams.end(),
              [](auto a, auto b) { return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end()); });
    const auto last = std::unique(grams.begin(), grams.end(), [](auto a, auto b) { return std::equal(a.begin(), a.end(), b.begin()); });
    const auto different = static_cast<double>(last - grams.begin());
    const double repeated = 1.0 - different / static_cast<double>(grams.size());
    return {-options_.max_penalty * repeated, "", repeated > 0.0 ? "repeats itself" : kNoRepetition};
  }

  RepetitionOptions options_;
};

}  // namespace

std::unique_ptr<Reward> make_repetition_reward(const RewardOptions& options) {
  return std::make_unique<RepetitionReward>(read_options<RepetitionOptions>("repetition", options));
}

}  // namespace grpo
