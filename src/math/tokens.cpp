#include "math/tokens.h"

#include <algorithm>
#include <utility>

#include "grpo/data/strings.h"
#include "math/decimal.h"
#include "math/latex.h"
#include "math/names.h"

namespace grpo {
namespace {

constexpr int kMaxNesting = 8;  // of \text{…} and the like

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

class Tokenizer {
 public:
  Tokenizer(std::string_view text, std::vector<Token>& out, int nesting) : text_(text), out_(out), nesting_(nesting) {
    dollars_are_currency_ = std::ranges::count(text, '$') % 2 == 1;
  }

  bool run(bool upright) {
    upright_ = upright;
    while (at_ < text_.size()) {
      if (out_.size() >= kMaxTokens) return false;
      step();
    }
    return true;
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  std::string_view rest() const { return text_.substr(at_); }
  bool take(std::string_view what) {
    if (!rest().starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(peek())) ++at_;
  }

  void push(Token::Kind kind, std::string text, Rational value = {}) {
    out_.push_back({kind, std::move(text), std::move(value), std::exchange(space_, false), upright_});
  }
  void symbol(std::string_view name) {
    if (name == "(" || name == "[" || name == "\\{") ++depth_;
    if ((name == ")" || name == "]" || name == "\\}") && depth_ > 0) --depth_;
    push(Token::Kind::kSymbol, std::string(name));
  }

  void step() {
    const char c = peek();
    if (is_space(c) || c == '~') {
      ++at_;
      space_ = true;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (c == '\\') {
      ++at_;
      command();
    } else if (is_ascii_letter(c)) {
      letters();
    } else if (is_beyond_ascii(c)) {
      size_t end = at_;
      while (end < text_.size() && (is_beyond_ascii(text_[end]) || is_ascii_letter(text_[end]))) ++end;
      push(Token::Kind::kWord, std::string(text_.substr(at_, end - at_)));
      at_ = end;
    } else {
      sign();
    }
  }

  void sign() {
    for (const auto& [written, name] : {std::pair{"**", "^"}, {"<=", "<="}, {">=", ">="}, {"!=", "!="}, {"==", "="}, {"...", "dots"}})
      if (take(written)) return symbol(name);
    const char c = peek();
    ++at_;
    if (c == '$' && !dollars_are_currency_) {
      space_ = true;
    } else if (c == '\'' && !out_.empty() && out_.back().kind == Token::Kind::kLetter && !space_) {
      out_.back().text += c;
    } else {
      symbol(std::string_view(&c, 1));
    }
  }

  bool digits_follow(size_t from, size_t count) const {
    for (size_t i = 0; i < count; ++i)
      if (!is_digit(peek(from + i))) return false;
    return !is_digit(peek(from + count));
  }

  /// The length of what sets off a group of thousands here; 0 where nothing does. A bare comma does it outside of brackets alone: within
  /// them it separates.
  size_t group_mark() const {
    for (const std::string_view mark : {"{,}", ",\\!", "\\,", "\\ "}) {
      if (!rest().starts_with(mark)) continue;
      size_t length = mark.size();
      if (mark == ",\\!")
        while (peek(length) == ' ') ++length;
      return digits_follow(length, 3) ? length : 0;
    }
    return peek() == ',' && depth_ == 0 && digits_follow(1, 3) ? 1 : 0;
  }

  std::string digits() {
    const size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void number() {
    const size_t begin = at_;
    Decimal decimal;
    decimal.whole = digits();
    if (!decimal.whole.empty() && decimal.whole.size() <= 3) {
      for (size_t mark = group_mark(); mark > 0; mark = group_mark()) {
        at_ += mark;
        decimal.whole += digits();
      }
    }
    if (peek() == '.' && (is_digit(peek(1)) || rest().starts_with(".\\overline{") || rest().starts_with(".\\bar{"))) {
      ++at_;
      decimal.decimals = digits();
      repeating(decimal);
    } else if (peek() == '.' && peek(1) != '.' && !is_ascii_letter(peek(1)) && at_ + 1 == text_.size()) {
      ++at_;
    }
    exponent(decimal);
    const auto value = decimal.value();
    const std::string written = decimal.decimals.empty() && decimal.repeating.empty() && decimal.exponent == 0
                                    ? decimal.whole
                                    : std::string(text_.substr(begin, at_ - begin));
    if (value) {
      push(Token::Kind::kNumber, written, *value);
    } else {
      push(Token::Kind::kSymbol, "?");  // too large to be written out
    }
  }

  void repeating(Decimal& decimal) {
    const size_t before = at_;
    if (!take("\\overline{") && !take("\\bar{")) return;
    decimal.repeating = digits();
    if (decimal.repeating.empty() || !take("}")) {
      at_ = before;
      decimal.repeating.clear();
    }
  }

  /// "e5", "E-3" right behind a number and before no letter.
  void exponent(Decimal& decimal) {
    if (peek() != 'e' && peek() != 'E') return;
    const size_t sign = peek(1) == '-' || peek(1) == '+' ? 1 : 0;
    size_t end = 1 + sign;
    while (is_digit(peek(end))) ++end;
    if (end == 1 + sign || is_ascii_letter(peek(end)) || end > 19) {
      if (end > 19) decimal.exponent = kMaxPowerOfTen + 1, at_ += end;
      return;
    }
    const int64_t value = *Rational::from_digits(text_.substr(at_ + 1 + sign, end - 1 - sign)).to_integer();
    decimal.exponent = peek(1) == '-' ? -value : value;
    at_ += end;
  }

  void letters() {
    size_t end = at_;
    while (end < text_.size() && (is_ascii_letter(text_[end]) || is_beyond_ascii(text_[end]))) ++end;
    const std::string run(text_.substr(at_, end - at_));
    at_ = end;
    const NameMeaning meaning = meaning_of_word(run);
    const bool bracket_follows = peek() == '(' || peek() == '[' || (peek() == ' ' && (peek(1) == '(' || peek(1) == '['));
    if (meaning.kind == NameMeaning::Kind::kSymbol) {
      symbol(meaning.name);
    } else if (meaning.kind == NameMeaning::Kind::kFunction) {
      push(Token::Kind::kCommand, std::string(meaning.name));
    } else if (meaning.kind == NameMeaning::Kind::kLetter) {
      push(Token::Kind::kLetter, std::string(meaning.name));
    } else if (run == "U" && bracket_follows && !out_.empty() && (out_.back().is(")") || out_.back().is("]"))) {
      symbol("union");
    } else if (run == "in" && bracket_follows) {
      symbol("in");
    } else {
      push(run.size() == 1 ? Token::Kind::kLetter : Token::Kind::kWord, run);
    }
  }

  void command() {
    if (!is_ascii_letter(peek())) return control_sign();
    const size_t begin = at_;
    while (is_ascii_letter(peek())) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    if (peek() == '*') ++at_;
    const NameMeaning meaning = meaning_of_command(name);
    switch (meaning.kind) {
      case NameMeaning::Kind::kSymbol:
        return symbol(meaning.name);
      case NameMeaning::Kind::kFunction:
        return push(Token::Kind::kCommand, std::string(meaning.name));
      case NameMeaning::Kind::kLetter:
        return push(Token::Kind::kLetter, std::string(meaning.name));
      case NameMeaning::Kind::kDroppedWithArgument:
        skip_space();
        if (peek() == '{') group();
        [[fallthrough]];
      case NameMeaning::Kind::kDropped:
        if (peek() == '.' && (name == "left" || name == "right")) ++at_;
        if (name.find("quad") != std::string::npos) space_ = true;
        return;
      case NameMeaning::Kind::kText:
        return styled(true, true);
      case NameMeaning::Kind::kStyle:
        return styled(false, name == "mathrm" || name == "operatorname");
      case NameMeaning::Kind::kSetLetter:
        return set_letter();
      case NameMeaning::Kind::kEnvironment:
        return environment(name);
      case NameMeaning::Kind::kNone:
        push(Token::Kind::kCommand, name);
    }
  }

  void control_sign() {
    const char c = peek();
    if (at_ < text_.size()) ++at_;
    if (c == '{' || c == '}') return symbol(c == '{' ? "\\{" : "\\}");
    if (c == '\\') {
      const size_t close = peek() == '[' && is_digit(peek(1)) ? rest().find(']') : std::string_view::npos;  // \\[4pt]
      if (close != std::string_view::npos) at_ += close + 1;
      return symbol("row");
    }
    if (c == '%' || c == '#' || c == '&' || c == '$' || c == '_' || c == '|') return symbol(std::string_view(&c, 1));
    if (c != '!') space_ = true;  // \, \; \: and the delimiters \( \[ \] \)
  }

  /// The content of the braces that begin here, past them; what follows to the end where they are not closed.
  std::string_view group() {
    int64_t depth = 0;
    const size_t begin = at_ + 1;
    for (; at_ < text_.size(); ++at_) {
      if (peek() == '\\') {
        ++at_;
      } else if (peek() == '{') {
        ++depth;
      } else if (peek() == '}' && --depth == 0) {
        return text_.substr(begin, at_++ - begin);
      }
    }
    at_ = text_.size();
    push(Token::Kind::kSymbol, "{");
    return text_.substr(std::min(begin, at_));
  }

  /// \text{…} and \mathrm{…}: words as they stand, anything else as if the style were not there.
  void styled(bool words, bool upright) {
    skip_space();
    if (peek() != '{') return;
    const std::string_view content = group();
    const std::string_view bare = trim(content);
    const bool plain =
        std::ranges::none_of(bare, [](char c) { return is_digit(c) || c == '\\' || c == '$' || c == '{' || c == '_' || c == '^'; });
    const bool has_letters = std::ranges::any_of(bare, [](char c) { return is_ascii_letter(c) || is_beyond_ascii(c); });
    const bool only_letters = std::ranges::all_of(bare, [](char c) { return is_ascii_letter(c) || c == ' ' || is_beyond_ascii(c); });
    if (words && !content.empty() && is_space(content.front())) space_ = true;
    if (plain && has_letters && (words || only_letters)) {
      word(bare, words, upright);
    } else {
      const bool unit = upright && !bare.empty() && is_ascii_letter(bare.front());  // \\mathrm{m/s^2}
      nested(content, upright, !words && !unit);
    }
    if (words && !content.empty() && is_space(content.back())) space_ = true;
  }

  void word(std::string_view text, bool words, bool upright) {
    const NameMeaning meaning = meaning_of_word(text);
    if (meaning.kind == NameMeaning::Kind::kSymbol) return symbol(meaning.name);
    if (!words && meaning.kind == NameMeaning::Kind::kFunction) return push(Token::Kind::kCommand, std::string(meaning.name));
    const bool single = text.size() == 1 && !words;
    push(single ? Token::Kind::kLetter : Token::Kind::kText, std::string(text));
    out_.back().upright = upright;
  }

  void nested(std::string_view content, bool upright, bool in_braces) {
    if (nesting_ == 0) return push(Token::Kind::kSymbol, "?");
    if (in_braces) push(Token::Kind::kSymbol, "{");
    Tokenizer inner(content, out_, nesting_ - 1);
    inner.space_ = std::exchange(space_, false);
    inner.depth_ = depth_;
    if (!inner.run(upright)) push(Token::Kind::kSymbol, "?");
    space_ = inner.space_;
    if (in_braces) push(Token::Kind::kSymbol, "}");
  }

  void set_letter() {
    skip_space();
    const std::string_view content = peek() == '{' ? trim(group()) : rest().substr(0, 1);
    if (at_ < text_.size() && content.size() == 1 && content.data() == text_.data() + at_) ++at_;
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSets = {
        {{"R", "reals"}, {"Z", "integers"}, {"Q", "rationals"}, {"N", "naturals"}, {"C", "complexes"}}};
    const auto* found = std::ranges::find(kSets, content, &std::pair<std::string_view, std::string_view>::first);
    push(Token::Kind::kCommand, found == kSets.end() ? "mathbb" : std::string(found->second));
  }

  void environment(const std::string& which) {
    skip_space();
    std::string name(peek() == '{' ? trim(group()) : std::string_view());
    if (!name.empty() && name.back() == '*') name.pop_back();
    if (which == "begin" && name == "array") {
      skip_space();
      if (peek() == '{') group();
    }
    push(Token::Kind::kCommand, which + " " + name);
  }

  std::string_view text_;
  std::vector<Token>& out_;
  size_t at_ = 0;
  int nesting_;
  int depth_ = 0;  // of brackets
  bool space_ = false, upright_ = false, dollars_are_currency_ = false;
};

}  // namespace

std::optional<std::vector<Token>> tokenize(std::string_view answer) {
  if (answer.size() > kMaxAnswerLength) return std::nullopt;
  const std::string text = plain_signs(answer);
  std::vector<Token> tokens;
  if (!Tokenizer(text, tokens, kMaxNesting).run(false)) return std::nullopt;
  tokens.emplace_back();
  return tokens;
}

}  // namespace grpo
