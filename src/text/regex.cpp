#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "core/unicode_additions.h"
#include "grpo/core/error.h"

namespace grpo::text {
namespace {

constexpr size_t kMaxPatternBytes = 1 << 13;            // as written
constexpr size_t kMaxTranslatedPatternBytes = 1 << 20;  // categories written out

// PCRE2's own \s takes U+180E for white space, its \w lacks marks and connectors, and its \h is no hexadecimal digit.
constexpr std::string_view kSpaces = "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr std::string_view kNonSpaces =
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x84\\x86-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}";
constexpr std::string_view kHex = "0-9a-fA-F";

/// The members of a general category ("L", "Nd") as they stand in a class, those that PCRE2 is too old to know included.
std::string category(std::string_view name) {
  std::string out = "\\p{" + std::string(name) + "}";
  for (const CategoryRange& range : kUnicodeAdditions) {
    if (!range.category.starts_with(name)) continue;
    char text[32];
    std::snprintf(text, sizeof text, "\\x{%x}-\\x{%x}", static_cast<unsigned>(range.first), static_cast<unsigned>(range.last));
    out += text;
  }
  return out;
}

/// Oniguruma's \\w; outside a class it has the superscripts and fractions of Latin-1 too.
std::string word_characters(bool in_class) {
  return "\\p{Alphabetic}" + category("L") + category("M") + category("Nd") + category("Nl") + category("Pc") +
         (in_class ? "" : "\\xb2\\xb3\\xb9\\xbc-\\xbe");
}

std::shared_ptr<pcre2_real_code_8> compile(const std::string& pattern, int& error, size_t& offset) {
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(pcre2_compile_context_create(nullptr),
                                                                                              &pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context.get(), kMaxTranslatedPatternBytes);
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context.get());
  return {code, [](pcre2_code* owned) { pcre2_code_free(owned); }};
}

bool compiles(const std::string& pattern) {
  int error = 0;
  size_t offset = 0;
  return compile(pattern, error, offset) != nullptr;
}

/// Rewrites an Oniguruma pattern into one that means the same to PCRE2.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string translate() {
    while (at_ < pattern_.size()) {
      if (pattern_[at_] == '\\' && at_ + 1 < pattern_.size()) {
        escape();
      } else if (in_class_) {
        inside_class();
      } else {
        outside_class();
      }
    }
    return std::move(out_);
  }

 private:
  void outside_class() {
    if (pattern_[at_] == '[') {
      open_class();
    } else if (pattern_[at_] == '{') {
      interval();
    } else if (pattern_.substr(at_).starts_with("(?")) {
      group();
    } else {
      out_ += pattern_[at_++];
    }
  }

  /// `(?mix-mix)` and `(?mix-mix:…)`, whose m is PCRE2's s: the dot matches line ends.
  void group() {
    at_ += 2;
    out_ += "(?";
    if (at_ == pattern_.size() || (!std::isalpha(static_cast<unsigned char>(pattern_[at_])) && pattern_[at_] != '-')) return;
    for (; at_ < pattern_.size() && pattern_[at_] != ')' && pattern_[at_] != ':'; ++at_) {
      const char option = pattern_[at_];
      if (std::string_view("imx-").find(option) == std::string_view::npos) {
        fail("regex", "expected the group options i, m and x; got " + std::string(pattern_));
      }
      out_ += option == 'm' ? 's' : option;
    }
  }

  /// `{n}`, `{n,}`, `{,m}` and `{n,m}`; a `+` behind repeats the whole, and a `?` behind `{n}` makes it optional.
  void interval() {
    const size_t close = std::min(pattern_.find('}', at_), pattern_.size());
    const std::string_view inner = pattern_.substr(at_ + 1, close - at_ - 1);
    const size_t comma = inner.find(',');
    const bool numbers = inner.find_first_not_of("0123456789,") == std::string_view::npos && comma == inner.rfind(',');
    if (close == pattern_.size() || !numbers || inner.empty() || inner == ",") {
      out_ += pattern_[at_++];
      return;
    }
    const char next = close + 1 < pattern_.size() ? pattern_[close + 1] : '\0';
    const std::string least(comma == 0 ? "0" : inner.substr(0, comma));
    at_ = close + 1;
    if (next == '+' && comma != std::string_view::npos && (least == "0" || least == "1") && !inner.ends_with(",0")) {
      out_ += least == "0" ? '*' : '+';
      ++at_;
    } else if (next == '+' || (next == '?' && comma == std::string_view::npos)) {
      fail("regex", "expected no + or ? behind a number of repetitions; got " + std::string(pattern_));
    } else {
      out_.append("{").append(least).append(comma == std::string_view::npos ? "" : inner.substr(comma)) += '}';
    }
  }

  /// `\b` and `\B` between what Oniguruma's `\w` matches and what not.
  void boundary(bool negated) {
    const std::string word = "[" + word_characters(false) + "]";
    const auto behind = [&](const char* sign) { return "(?<" + (sign + word) + ")"; };
    const auto ahead = [&](const char* sign) { return "(?" + (sign + word) + ")"; };
    out_ += "(?:" + behind("=") + ahead(negated ? "=" : "!") + "|" + behind("!") + ahead(negated ? "!" : "=") + ")";
  }

  void open_class() {
    in_class_ = true;
    out_ += pattern_[at_++];
    if (at_ < pattern_.size() && pattern_[at_] == '^') out_ += pattern_[at_++];
    if (at_ < pattern_.size() && pattern_[at_] == ']') out_ += pattern_[at_++];
  }

  void inside_class() {
    const std::string_view rest = pattern_.substr(at_);
    if (rest.starts_with("&&") || rest[0] == '[') {
      fail("regex", "expected a character class without nested sets; got " + std::string(pattern_));
    }
    if (rest[0] == ']') in_class_ = false;
    out_ += pattern_[at_++];
  }

  void set(std::string_view members, bool negated = false) {
    if (in_class_ && negated) fail("regex", "expected no negated escape such as \\W inside a class; got " + std::string(pattern_));
    if (in_class_) {
      out_ += members;
    } else {
      out_.append(negated ? "[^" : "[").append(members) += ']';
    }
  }

  void escape() {
    const char kind = pattern_[at_ + 1];
    switch (kind) {
      case 's':
        set(kSpaces);
        break;
      case 'S':
        set(kNonSpaces);
        break;
      case 'w':
        set(word_characters(in_class_));
        break;
      case 'W':
        set(word_characters(in_class_), true);
        break;
      case 'd':
        set(category("Nd"));
        break;
      case 'D':
        set(category("Nd"), true);
        break;
      case 'h':
        set(kHex);
        break;
      case 'H':
        set(kHex, true);
        break;
      case 'b':
      case 'B':
        if (in_class_) {
          out_.append(pattern_.substr(at_, 2));
        } else {
          boundary(kind == 'B');
        }
        break;
      case 'v':  // the vertical tab alone
        out_ += "\\x0b";
        break;
      case 'Q':  // quotes nothing
      case 'E':
        out_ += kind;
        break;
      case 'u':
        code_unit();
        return;
      case 'p':
      case 'P':
        property();
        return;
      default:
        out_.append(pattern_.substr(at_, 2));
    }
    at_ += 2;
  }

  void code_unit() {
    const std::string_view digits = pattern_.substr(at_ + 2, 4);
    out_.append("\\x{").append(digits) += '}';
    at_ += 2 + digits.size();
  }

  // A bare script name means Script_Extensions to PCRE2 and Script to Oniguruma.
  void property() {
    const size_t open = at_ + 2, close = pattern_.find('}', open);
    const std::string_view letter = pattern_.substr(at_, 2);
    if (close == std::string_view::npos || pattern_[open] != '{') {
      out_ += letter;
      at_ += 2;
      return;
    }
    at_ = close + 1;
    std::string name(pattern_.substr(open + 1, close - open - 1));
    const bool letters = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalpha(c) || c == '_'; });
    const bool negated = letter == "\\P";
    if (letters && name.size() <= 2 && !(in_class_ && negated)) {
      set(category(name), negated);
      return;
    }
    if (letters && name.size() > 2 && compiles("\\p{sc:" + name + "}")) name = "sc:" + name;
    out_.append(letter).append("{").append(name) += '}';
  }

  std::string_view pattern_;
  std::string out_;
  size_t at_ = 0;
  bool in_class_ = false;
};

std::string error_text(int code) {
  unsigned char message[256] = {};
  pcre2_get_error_message(code, message, sizeof message);
  return reinterpret_cast<const char*>(message);
}

}  // namespace

Regex::Regex(const std::string& pattern) : pattern_(pattern) {
  GRPO_CHECK(pattern.size() <= kMaxPatternBytes, "regex",
             "expected a pattern of at most 8192 bytes; got " + std::to_string(pattern.size()));
  int error = 0;
  size_t offset = 0;
  const auto code = compile(Translator(pattern).translate(), error, offset);
  GRPO_CHECK(code != nullptr, "regex", "expected a supported pattern; got " + pattern + " (" + error_text(error) + ")");
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without JIT, matching is slower and equal
  code_ = code;
}

std::string Regex::escape(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    if (std::string_view("\\^$.|?*+()[]{}-#&~ \t\r\n").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::vector<Span> Regex::find_all(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(pcre2_match_data_create_from_pattern(code_.get(), nullptr),
                                                                                 &pcre2_match_data_free);
  const auto match = [&](size_t at, uint32_t options) {
    return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_NO_UTF_CHECK | options, data.get(),
                       nullptr);
  };
  std::vector<Span> found;
  size_t at = 0;
  while (at <= text.size()) {
    int rc = match(at, 0);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = match(at, PCRE2_NO_JIT);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    GRPO_CHECK(rc >= 0, "regex", "expected " + pattern_ + " to match within limits; got " + error_text(rc));
    const size_t* bounds = pcre2_get_ovector_pointer(data.get());
    const Span span{bounds[0], std::max(bounds[0], bounds[1])};
    const bool empty = span.begin == span.end;
    if (!empty || found.empty() || found.back().end != span.begin) found.push_back(span);
    at = empty ? span.begin + 1 : span.end;
    while (empty && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return found;
}

}  // namespace grpo::text
