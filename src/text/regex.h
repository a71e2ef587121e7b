#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace grpo::text {

/// Bytes [begin, end) of a text.
struct Span {
  size_t begin = 0, end = 0;
};

/// A Unicode regular expression in the dialect of tokenizer.json (Oniguruma), run by PCRE2. Where the two differ, the pattern is
/// rewritten (`\s`, `\w`, `\b`, `\h`, `(?m)`, `{,n}`, categories, scripts); what cannot be (sets inside a class) throws.
class Regex {
 public:
  /// Throws `Error` naming the pattern where it is malformed or not supported.
  explicit Regex(const std::string& pattern);

  /// A pattern that matches exactly `literal`.
  static std::string escape(std::string_view literal);

  /// Every match in `text` (valid UTF-8), left to right, not overlapping. Throws `Error` where matching exceeds PCRE2's limits.
  std::vector<Span> find_all(std::string_view text) const;

 private:
  std::string pattern_;
  std::shared_ptr<const pcre2_real_code_8> code_;
};

}  // namespace grpo::text
