#include <algorithm>
#include <utility>

#include "grpo/data/strings.h"
#include "math/evaluate.h"
#include "math/latex.h"
#include "math/parser.h"
#include "math/reading.h"
#include "math/tokens.h"
#include "math/units.h"

namespace grpo {
namespace {

constexpr int kMaxWrappings = 8;       // $\boxed{…}$. and the like: deeper nesting is left as it is
constexpr size_t kMaxWords = 8;        // of a text answer; more are prose
constexpr size_t kMaxKeyTokens = 200;  // of notation that is compared as it stands

bool is_word_letter(char c) { return is_ascii_letter(c) || static_cast<unsigned char>(c) >= 0x80; }

bool unwrap_pair(std::string_view& text, std::string_view open, std::string_view close) {
  if (text.size() < open.size() + close.size() + 1 || !text.starts_with(open) || !text.ends_with(close)) return false;
  const std::string_view inside = text.substr(open.size(), text.size() - open.size() - close.size());
  if (inside.find(open) != std::string_view::npos || inside.find(close) != std::string_view::npos || inside.ends_with('\\')) return false;
  text = inside;
  return true;
}

/// Takes off one layer around the answer. False where there is none.
bool unwrap(std::string_view& text) {
  text = trim(text);
  static constexpr std::pair<std::string_view, std::string_view> kPairs[] = {{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"},
                                                                             {"**", "**"}, {"`", "`"}, {"\"", "\""},   {"“", "”"}};
  for (const auto& [open, close] : kPairs)
    if (unwrap_pair(text, open, close)) return true;
  for (const std::string_view box : kBoxes) {
    if (!text.starts_with(box)) continue;
    const size_t open = text.find_first_not_of(" \t\n", box.size());
    if (open == std::string_view::npos || text[open] != '{' || closing_brace(text, open) != text.size() - 1) continue;
    text = text.substr(open + 1, text.size() - open - 2);
    return true;
  }
  const bool stop = text.size() > 1 && (text.ends_with(',') || text.ends_with(';') || (text.ends_with('.') && !text.ends_with("..")));
  if (stop && !text.ends_with("\\,") && !text.ends_with("\\;")) {
    text.remove_suffix(1);
    return true;
  }
  return false;
}

std::string key_of(const std::vector<Token>& tokens) {
  std::string key;
  for (const Token& token : tokens) {
    if (token.kind == Token::Kind::kEnd || token.text == "{" || token.text == "}") continue;
    const bool words = token.kind == Token::Kind::kText || token.kind == Token::Kind::kWord;
    if (!key.empty()) key += ' ';
    key += words                                ? collapse_white_space(token.text.size() > 2 ? lower_case(token.text) : token.text)
           : token.kind == Token::Kind::kNumber ? token.value.to_string()
                                                : token.text;
  }
  return key;
}

/// The words of an answer that holds nothing else, without signs; in lower case but for those of one or two letters, which may stand for
/// numbers. Empty for answers without a longer word.
std::string words_of(const std::vector<Token>& tokens) {
  std::string words;
  bool long_word = false;
  for (const Token& token : tokens) {
    if (token.kind == Token::Kind::kEnd) break;
    words += ' ';
    if (token.kind == Token::Kind::kSymbol) {
      static constexpr std::string_view kBetweenWords[] = {"(", ")", "-", ".", "'", ",", "{", "}", "and", "or"};
      if (std::ranges::find(kBetweenWords, token.text) == std::end(kBetweenWords)) return {};
      if (token.text == "and" || token.text == "or") words += token.text;
      continue;
    }
    if (token.kind == Token::Kind::kNumber || token.kind == Token::Kind::kCommand) return {};
    const bool is_long = token.text.size() > 2 && token.kind != Token::Kind::kLetter;
    long_word = long_word || is_long;
    for (const char c : is_long ? lower_case(token.text) : token.text) words += is_word_letter(c) || is_digit(c) ? c : ' ';
  }
  return long_word ? collapse_white_space(words) : std::string();
}

/// Words of a sentence, which no answer repeats word by word.
bool is_prose(std::string_view text) {
  const auto words = std::ranges::count(collapse_white_space(text), ' ') + 1;
  if (words > static_cast<ptrdiff_t>(kMaxWords)) return true;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    const bool stop = text[i] == '.' || text[i] == '!' || text[i] == '?' || text[i] == ':';
    if (stop && is_space(text[i + 1]) && i > 2 && words > 2) return true;
  }
  return false;
}

bool has_words(const std::vector<Token>& tokens) {
  return std::ranges::any_of(tokens, [](const Token& t) { return t.kind == Token::Kind::kText || t.kind == Token::Kind::kWord; });
}

/// Whether every value in the tree is one: no words within sums.
bool is_sound(const Node& node) {
  if (node.kind <= Node::Kind::kProduct) return is_value(node);
  if (node.kind == Node::Kind::kQuantity && node.parts[0]->kind == Node::Kind::kText) return false;
  return std::ranges::all_of(node.parts, [](const NodePtr& part) { return is_sound(*part); });
}

/// Brackets that close in order, and something to compare.
bool is_notation(const std::vector<Token>& tokens) {
  if (tokens.size() > kMaxKeyTokens) return false;
  int64_t braces = 0;
  bool content = false;
  for (const Token& token : tokens) {
    if (token.is("?") || token.is("#")) return false;
    if (token.is("{")) ++braces;
    if (token.is("}") && --braces < 0) return false;
    content = content || token.kind == Token::Kind::kNumber || token.kind == Token::Kind::kLetter || token.kind == Token::Kind::kText ||
              token.kind == Token::Kind::kWord;
  }
  return braces == 0 && content;
}

}  // namespace

Reading read(std::string_view text) {
  Reading reading;
  const bool sentence = trim(text).ends_with('.');
  for (int i = 0; i < kMaxWrappings && unwrap(text); ++i) continue;
  reading.text = trim(text);
  if (reading.text.empty()) {
    reading.problem = "nothing is there";
    return reading;
  }
  auto tokens = tokenize(reading.text);
  if (!tokens) {
    reading.problem = "longer than " + std::to_string(kMaxAnswerLength) + " bytes";
    return reading;
  }
  reading.key = key_of(*tokens);
  reading.words = words_of(*tokens);
  const bool words = has_words(*tokens), notation = is_notation(*tokens);
  ParsedAnswer parsed = parse_answer(*std::move(tokens));
  if (parsed.tree && is_sound(*parsed.tree)) {
    reading.tree = std::move(parsed.tree);
    if (!words || !holds_kind(*reading.tree, Node::Kind::kText)) return reading;
  }
  reading.unparsed = parsed.problem.empty() ? "words within mathematics" : parsed.problem;
  if (words && (is_prose(reading.text) || (sentence && std::ranges::count(reading.words, ' ') > 1))) {
    reading.tree = nullptr;
    reading.problem = "prose";
  } else if (!reading.tree && !notation) {
    reading.problem = reading.unparsed;
  }
  return reading;
}

char choice_of(const Reading& reading, bool lone) {
  std::string_view text = reading.key;
  std::string compact;
  for (const char c : text)
    if (c != ' ') compact += c;
  const auto letter = [](char c) { return c >= 'a' && c <= 'j' ? static_cast<char>(c - 'a' + 'A') : c; };
  const auto is_choice = [](char c) { return c >= 'A' && c <= 'J'; };
  if (compact.size() == 1) return is_choice(lone ? compact[0] : letter(compact[0])) ? letter(compact[0]) : '\0';
  if (compact.size() == 3 && compact[0] == '(' && compact[2] == ')' && is_choice(letter(compact[1]))) return letter(compact[1]);
  if (compact.size() == 2 && (compact[1] == ')' || compact[1] == '.') && is_choice(letter(compact[0]))) return letter(compact[0]);
  if (lone || compact.size() < 4 || compact[0] != '(' || compact[2] != ')' || !is_choice(compact[1])) return '\0';
  for (size_t i = 3; i + 2 < compact.size(); ++i)  // another choice named: none
    if (compact[i] == '(' && compact[i + 2] == ')') return '\0';
  return compact[1];
}

MathAnswer::MathAnswer(std::string_view text) : reading_(std::make_shared<const Reading>(read(text))) {}
bool MathAnswer::readable() const { return reading_->problem.empty(); }
const std::string& MathAnswer::problem() const { return reading_->problem; }
bool MathAnswer::is_mathematics() const { return reading_->tree && !holds_kind(*reading_->tree, Node::Kind::kText); }
std::string MathAnswer::to_string() const {
  if (!reading_->tree) return reading_->text;
  return grpo::to_string(*reading_->tree);
}

}  // namespace grpo
