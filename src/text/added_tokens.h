#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/json_fields.h"

namespace grpo::text {

/// One entry of "added_tokens" in tokenizer.json.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // swallows the white space before it
  bool rstrip = false;       // swallows the white space behind it
  bool normalized = false;   // looked for in the normalized text instead of the raw one
  bool special = false;      // left out by decode(…, skip_special_tokens)
};

/// Reads an entry of "added_tokens"; throws `Error` where it is none.
AddedToken parse_added_token(const Json& entry);

/// A stretch of text, or an added token found in it.
struct TextSegment {
  std::string_view text;
  int32_t id = -1;  // of the added token; -1 for plain text
};

/// Finds added tokens in text: leftmost first, the longest where several start together.
class AddedTokenMatcher {
 public:
  /// Adds `token`, to be found as `pattern` (its content, or that normalized); an empty pattern is never
  /// found, and of equal patterns the last one added counts.
  void add(const AddedToken& token, std::string_view pattern);

  /// Cuts `text` (valid UTF-8) at the tokens, in order. Swallowed white space belongs to its token and is in no segment.
  std::vector<TextSegment> split(std::string_view text) const;

 private:
  struct Node {
    std::vector<std::pair<char, size_t>> children;
    static constexpr size_t kNoToken = static_cast<size_t>(-1);
    size_t token = kNoToken;
  };
  struct Match {
    size_t token, end;
  };
  size_t child(size_t node, char byte) const;
  Match longest_at(std::string_view text, size_t at) const;

  std::vector<Node> nodes_{1};
  std::vector<AddedToken> tokens_;
};

}  // namespace grpo::text
