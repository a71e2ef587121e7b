#include <charconv>
#include <system_error>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "io/json_tree.h"

namespace grpo {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '+'; }

class JsonParser {
 public:
  JsonParser(std::string_view text, std::shared_ptr<const JsonOrigin> origin, bool comments)
      : text_(text), origin_(std::move(origin)), comments_(comments) {}

  JsonValue document() {
    check_utf8();
    skip_space();
    JsonValue result = value(0);
    skip_space();
    if (at_ < text_.size()) refuse("the end of the text");
    return result;
  }

 private:
  [[noreturn]] void refuse_as(const std::string& message) const {
    throw Error(json_location(*origin_, line_) + ": " + message, ErrorKind::kUsage);
  }

  [[noreturn]] void refuse(const std::string& expected) const { refuse_as("expected " + expected + "; got " + here()); }

  /// What stands at the cursor, for a message.
  std::string here() const {
    if (at_ >= text_.size()) return "the end of the text";
    size_t end = at_;
    while (end < text_.size() && end < at_ + 20 && is_word(text_[end])) ++end;
    if (end == at_) end += next_character(text_, at_).length;
    if (text_[at_] == '\n' || text_[at_] == '\r') return "the end of the line";
    if (static_cast<unsigned char>(text_[at_]) < 0x20) return "a control character";
    return "'" + std::string(text_.substr(at_, end - at_)) + "'";
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool accept(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  void check_utf8() {
    const size_t bad = find_bad_utf8(text_);
    if (bad == std::string_view::npos) return;
    for (const char c : text_.substr(0, bad)) line_ += c == '\n';
    refuse_as("expected UTF-8; got other bytes");
  }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else if (!comments_ || !skip_comment()) {
        return;
      }
    }
  }

  bool skip_comment() {
    if (accept("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
      return true;
    }
    if (!accept("/*")) return false;
    const size_t end = text_.find("*/", at_);
    if (end == std::string_view::npos) refuse_as("expected the comment to end; got the end of the text");
    for (const char c : text_.substr(at_, end - at_)) line_ += c == '\n';
    at_ = end + 2;
    return true;
  }

  JsonValue value(int depth) {
    if (depth > kMaxJsonDepth) refuse_as("expected at most " + std::to_string(kMaxJsonDepth) + " levels; got more");
    JsonValue result{.data = nullptr, .origin = origin_, .line = line_, .raw = {}};
    const char c = peek();
    if (c == '{') {
      result.data = object(depth);
    } else if (c == '[') {
      result.data = array(depth);
    } else if (c == '"') {
      result.data = string();
    } else if (c == '-' || is_digit(c)) {
      result.data = number();
    } else {
      result.data = word();
    }
    return result;
  }

  JsonValue::Data word() {
    size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    const std::string_view name = text_.substr(at_, end - at_);
    JsonValue::Data result = nullptr;
    if (name == "true" || name == "false") {
      result = name == "true";
    } else if (name != "null") {
      refuse("a value");
    }
    at_ = end;
    return result;
  }

  /// After the opening bracket or an element: whether another element follows.
  bool more(char close, bool first) {
    skip_space();
    if (peek() == close) {
      ++at_;
      return false;
    }
    if (first) return true;
    if (!accept(",")) refuse(std::string("',' or '") + close + "'");
    skip_space();
    if (peek() == close) refuse_as("expected no ',' before the closing bracket; got one");
    return true;
  }

  JsonValue::Array array(int depth) {
    JsonValue::Array items;
    ++at_;
    while (more(']', items.empty())) items.push_back(value(depth + 1));
    return items;
  }

  JsonValue::Object object(int depth) {
    JsonValue::Object members;
    ++at_;
    while (more('}', members.empty())) {
      if (peek() != '"') refuse("a key in double quotes");
      const int line = line_;
      std::string key = string();
      if (const JsonMember* earlier = find_member(members, key)) {
        refuse_as("expected each key once; got '" + key + "' again (first on line " + std::to_string(earlier->line) + ")");
      }
      if (members.size() == kMaxJsonMembers) refuse_as("expected at most " + std::to_string(kMaxJsonMembers) + " keys; got more");
      skip_space();
      if (!accept(":")) refuse("':' after the key '" + key + "'");
      skip_space();
      members.push_back({std::move(key), line, value(depth + 1)});
    }
    return members;
  }

  std::string string() {
    std::string result;
    ++at_;
    while (true) {
      if (at_ >= text_.size()) refuse("'\"' at the end of a string");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) refuse("no control character in a string");
      ++at_;
      if (c == '"') return result;
      if (c == '\\') {
        escape(result);
      } else {
        result += c;
      }
    }
  }

  void escape(std::string& result) {
    static constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which != std::string_view::npos) {
      ++at_;
      result += kMeanings[which];
      return;
    }
    if (!accept("u")) refuse("one of \"\\/bfnrtu after '\\'");
    uint32_t code = hex4();
    if (code >= 0xD800 && code < 0xDC00) {
      if (!accept("\\u")) refuse("the second half of a surrogate pair");
      const uint32_t low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) refuse_as("expected the second half of a surrogate pair; got another character");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      refuse_as("expected the first half of a surrogate pair; got the second");
    }
    append_utf8(result, code);
  }

  uint32_t hex4() {
    uint32_t code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) refuse("four hexadecimal digits after '\\u'");
    at_ += 4;
    return code;
  }

  void digits() {
    if (!is_digit(peek())) refuse("a digit");
    while (is_digit(peek())) ++at_;
  }

  JsonValue::Data number() {
    const size_t begin = at_;
    accept("-");
    if (accept("0")) {
      if (is_digit(peek())) refuse_as("expected a number without leading zeros; got one with");
    } else {
      digits();
    }
    bool integral = true;
    if (accept(".")) {
      integral = false;
      digits();
    }
    if (accept("e") || accept("E")) {
      integral = false;
      if (!accept("+")) accept("-");
      digits();
    }
    const std::string_view literal = text_.substr(begin, at_ - begin);
    return integral ? converted<int64_t>(literal, "an integer of 64 bits") : converted<double>(literal, "a number in a double's range");
  }

  template <class T>
  JsonValue::Data converted(std::string_view literal, const std::string& expected) const {
    T result{};
    if (std::from_chars(literal.data(), literal.data() + literal.size(), result).ec != std::errc()) {
      refuse_as("expected " + expected + "; got " + std::string(literal.substr(0, 40)));
    }
    return result;
  }

  std::string_view text_;
  std::shared_ptr<const JsonOrigin> origin_;
  bool comments_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

JsonValue parse_json(std::string_view text, std::shared_ptr<const JsonOrigin> origin, bool comments) {
  return JsonParser(text, std::move(origin), comments).document();
}

}  // namespace grpo
