#include "jinja/lexer.h"

#include <algorithm>
#include <optional>

#include "core/utf8.h"
#include "jinja/string_literal.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

/// Line ends become "\n"; one at the very end goes.
std::string normalized(const std::string& source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    const bool carriage = source[i] == '\r';
    if (carriage && i + 1 < source.size() && source[i + 1] == '\n') ++i;
    out += carriage ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_digit_byte(char c) { return c >= '0' && c <= '9'; }
bool is_name_byte(char c) {
  return is_digit_byte(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(const std::string& source) : source_(normalized(source)) {}

  std::vector<Token> run() {
    if (!is_valid_utf8(source_)) fail_at(Position{}, "expected a template in UTF-8");
    while (at_ < source_.size()) {
      const size_t tag = find_tag();
      const std::string_view rest = std::string_view(source_).substr(tag);
      if (rest.empty()) {
        push_text(source_.substr(at_), at_);
        at_ = tag;
        break;
      }
      const char kind = rest[1];
      const char sign = rest.size() > 2 && (rest[2] == '-' || rest[2] == '+') ? rest[2] : '\0';
      push_text(std::string(before_tag(tag, sign, kind != '{')), at_);
      at_ = tag;
      tag_at_ = tag;
      if (kind == '#') {
        comment(sign);
      } else if (kind == '%' && raw_tag("raw", tag)) {
        raw();
      } else {
        tokens(kind == '{', sign);
      }
    }
    push(TokenKind::kEnd, "", at_);
    return std::move(tokens_);
  }

 private:
  size_t find_tag() const {
    for (size_t at = source_.find('{', at_); at != std::string::npos; at = source_.find('{', at + 1)) {
      if (at + 1 < source_.size() && (source_[at + 1] == '{' || source_[at + 1] == '%' || source_[at + 1] == '#')) return at;
    }
    return source_.size();
  }

  /// Positions only ever grow, so the lines are counted once.
  Position position(size_t at) {
    for (; counted_ < at; ++counted_) {
      if (source_[counted_] != '\n') continue;
      ++line_;
      line_start_ = counted_ + 1;
    }
    return {line_, static_cast<int>(at - line_start_) + 1};
  }

  void push(TokenKind kind, std::string text, size_t at) { tokens_.push_back({kind, std::move(text), position(at)}); }
  void push_text(std::string text, size_t at) {
    if (!text.empty()) push(TokenKind::kText, std::move(text), at);
  }

  /// The text up to a tag: '-' strips white space; lstrip_blocks strips what stands before a tag alone on its line.
  std::string_view before_tag(size_t tag, char sign, bool is_block) const {
    const std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    if (sign == '-') return strip(text, nullptr, Side::kRight);
    if (sign == '+' || !is_block) return text;
    const size_t line = text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1;
    const bool alone = (line > 0 || line_starting_) && strip(text.substr(line), nullptr, Side::kLeft).empty();
    return alone ? text.substr(0, line) : text;
  }

  void skip_space() {
    const std::string_view rest = std::string_view(source_).substr(at_);
    at_ += rest.size() - strip_left_size(rest);
  }
  static size_t strip_left_size(std::string_view rest) {
    const size_t ascii = rest.find_first_not_of(" \t\n\r\f\v");
    if (ascii == std::string_view::npos) return 0;
    return static_cast<unsigned char>(rest[ascii]) < 0x80 && rest[ascii] > 0x1F ? rest.size() - ascii
                                                                                : strip(rest, nullptr, Side::kLeft).size();
  }

  /// Moves behind a tag's closing bytes of `size`: '-' eats the white space that follows, and trim_blocks one newline.
  void close(size_t size, char sign, bool trims) {
    at_ += size;
    if (sign == '-') {
      skip_space();
    } else if (trims && sign != '+' && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
    line_starting_ = source_[at_ - 1] == '\n';
  }

  void comment(char sign) {
    const size_t content = at_ + 2 + (sign ? 1 : 0);
    const size_t end = source_.find("#}", content);
    if (end == std::string::npos) fail_at(position(tag_at_), "expected '#}' to end the comment; got the end of the template");
    const char end_sign = end > content && (source_[end - 1] == '-' || source_[end - 1] == '+') ? source_[end - 1] : '\0';
    at_ = end;
    close(2, end_sign, true);
  }

  struct RawTag {
    char begin_sign;
    char end_sign;
    size_t close;  // where "%}" stands
  };
  /// `{% name %}` with any signs at `at`.
  std::optional<RawTag> raw_tag(std::string_view name, size_t at) const {
    const std::string_view all = source_;
    const auto skip = [&](size_t from) { return std::min(all.find_first_not_of(" \t\n", from), all.size()); };
    at += 2;
    const char begin_sign = at < all.size() && (all[at] == '-' || all[at] == '+') ? all[at] : '\0';
    at = skip(at + (begin_sign ? 1 : 0));
    if (all.substr(at, name.size()) != name) return std::nullopt;
    at = skip(at + name.size());
    const char end_sign = at < all.size() && (all[at] == '-' || all[at] == '+') ? all[at] : '\0';
    at += end_sign ? 1 : 0;
    if (all.substr(at, 2) != "%}") return std::nullopt;
    return RawTag{begin_sign, end_sign, at};
  }

  void raw() {
    const RawTag open = *raw_tag("raw", at_);
    at_ = open.close;
    close(2, open.end_sign, false);
    for (size_t at = source_.find("{%", at_); at != std::string::npos; at = source_.find("{%", at + 1)) {
      const auto end = raw_tag("endraw", at);
      if (!end) continue;
      push_text(std::string(before_tag(at, end->begin_sign, true)), at_);
      at_ = end->close;
      close(2, end->end_sign, true);
      return;
    }
    fail_at(position(tag_at_), "expected {% endraw %}; got the end of the template");
  }

  /// The tokens of one `{{ … }}` or `{% … %}`.
  void tokens(bool is_output, char sign) {
    push(is_output ? TokenKind::kOutputBegin : TokenKind::kBlockBegin, "", at_);
    const Position begin = tokens_.back().at;
    at_ += 2 + (sign ? 1 : 0);
    open_.clear();
    while (true) {
      skip_space();
      if (at_ >= source_.size()) fail_at(begin, "expected the tag to end; got the end of the template");
      if (open_.empty() && end_tag(is_output)) return;
      token();
    }
  }

  bool end_tag(bool is_output) {
    const std::string_view rest = std::string_view(source_).substr(at_);
    const char sign = rest[0] == '-' || (rest[0] == '+' && !is_output) ? rest[0] : '\0';
    if (rest.substr(sign ? 1 : 0, 2) != (is_output ? "}}" : "%}")) return false;
    push(is_output ? TokenKind::kOutputEnd : TokenKind::kBlockEnd, "", at_);
    close(sign ? 3 : 2, sign, !is_output);
    return true;
  }

  void token() {
    const char c = source_[at_];
    if (is_digit_byte(c)) {
      number();
    } else if (is_name_byte(c)) {
      const size_t start = at_;
      while (at_ < source_.size() && is_name_byte(source_[at_])) ++at_;
      push(TokenKind::kName, source_.substr(start, at_ - start), start);
    } else if (c == '"' || c == '\'') {
      string();
    } else {
      symbol();
    }
  }

  void string() {
    const size_t start = at_++;
    while (at_ < source_.size() && source_[at_] != source_[start]) at_ += source_[at_] == '\\' ? 2 : 1;
    if (at_ >= source_.size()) fail_at(position(start), "expected a closing quote; got the end of the template");
    const Position at = position(start);
    push(TokenKind::kString, unescape(std::string_view(source_).substr(start + 1, at_ - start - 1), at), start);
    ++at_;
  }

  void digits() {
    while (at_ < source_.size() && (is_digit_byte(source_[at_]) || source_[at_] == '_')) ++at_;
  }

  bool digit_at(size_t at) const { return at < source_.size() && is_digit_byte(source_[at]); }

  void number() {
    const size_t start = at_;
    TokenKind kind = TokenKind::kInteger;
    if (source_[at_] == '0' && at_ + 1 < source_.size() && std::string_view("xXoObB").find(source_[at_ + 1]) != std::string_view::npos) {
      while (at_ < source_.size() && is_name_byte(source_[at_])) ++at_;
    } else {
      const bool after_dot = start > 0 && source_[start - 1] == '.';  // x.0.1 has two integers
      digits();
      if (!after_dot && at_ < source_.size() && source_[at_] == '.' && digit_at(at_ + 1)) {
        kind = TokenKind::kReal;
        ++at_;
        digits();
      }
      const size_t exponent = at_ + 1 < source_.size() && (source_[at_ + 1] == '+' || source_[at_ + 1] == '-') ? at_ + 2 : at_ + 1;
      if (!after_dot && at_ < source_.size() && (source_[at_] == 'e' || source_[at_] == 'E') && digit_at(exponent)) {
        kind = TokenKind::kReal;
        at_ = exponent;
        digits();
      }
    }
    std::string text = source_.substr(start, at_ - start);
    std::erase(text, '_');
    push(kind, std::move(text), start);
  }

  void symbol() {
    static constexpr std::string_view kPairs[] = {"**", "//", "==", "!=", ">=", "<="};
    static constexpr std::string_view kClosers = ")]}";
    static constexpr std::string_view kOpeners = "([{";
    const std::string_view rest = std::string_view(source_).substr(at_);
    const bool pair = std::find(std::begin(kPairs), std::end(kPairs), rest.substr(0, 2)) != std::end(kPairs);
    if (!pair && std::string_view("+-/*%~[](){}><=.:|,;").find(rest[0]) == std::string_view::npos) {
      fail_at(position(at_), "unexpected character '" + std::string(characters(rest.substr(0, 4))[0]) + "'");
    }
    if (kOpeners.find(rest[0]) != std::string_view::npos) open_ += rest[0];
    if (const size_t closer = kClosers.find(rest[0]); closer != std::string_view::npos) {
      if (open_.empty() || open_.back() != kOpeners[closer]) fail_at(position(at_), std::string("unexpected '") + rest[0] + "'");
      open_.pop_back();
    }
    push(TokenKind::kOperator, std::string(rest.substr(0, pair ? 2 : 1)), at_);
    at_ += pair ? 2 : 1;
  }

  std::string source_;
  size_t at_ = 0;
  size_t tag_at_ = 0;
  size_t counted_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string open_;  // brackets not yet closed within the tag
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const std::string& source) { return Lexer(source).run(); }

}  // namespace grpo::jinja
