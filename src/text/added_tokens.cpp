#include "text/added_tokens.h"

#include <algorithm>

#include "core/utf8.h"

namespace grpo::text {
namespace {

/// Where the last character of text[0, end) starts; end > 0.
size_t last_character(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && is_word_character(next_character(text, last_character(text, begin)).code)) ||
         (end < text.size() && is_word_character(next_character(text, end).code));
}

size_t skip_spaces_back(std::string_view text, size_t begin) {
  while (begin > 0) {
    const size_t at = last_character(text, begin);
    if (!is_white_space(next_character(text, at).code)) break;
    begin = at;
  }
  return begin;
}

size_t skip_spaces(std::string_view text, size_t end) {
  while (end < text.size()) {
    const Utf8Step step = next_character(text, end);
    if (!is_white_space(step.code)) break;
    end += step.length;
  }
  return end;
}

}  // namespace

size_t AddedTokenMatcher::child(size_t node, char byte) const {
  for (const auto& [key, next] : nodes_[node].children) {
    if (key == byte) return next;
  }
  return 0;  // the root is nobody's child
}

AddedToken parse_added_token(const Json& entry) {
  constexpr std::string_view kEntry = "tokenizer.json added_tokens";
  const bool special = bool_member(entry, "special", kEntry, false);
  return {.id = token_id(member(entry, "id", kEntry), kEntry),
          .content = string_member(entry, "content", kEntry),
          .single_word = bool_member(entry, "single_word", kEntry, false),
          .lstrip = bool_member(entry, "lstrip", kEntry, false),
          .rstrip = bool_member(entry, "rstrip", kEntry, false),
          .normalized = bool_member(entry, "normalized", kEntry, !special),
          .special = special};
}

void AddedTokenMatcher::add(const AddedToken& token, std::string_view pattern) {
  if (pattern.empty()) return;
  size_t node = 0;
  for (const char byte : pattern) {
    size_t next = child(node, byte);
    if (next == 0) {
      next = nodes_.size();
      nodes_[node].children.emplace_back(byte, next);
      nodes_.emplace_back();
    }
    node = next;
  }
  nodes_[node].token = tokens_.size();
  tokens_.push_back(token);
}

AddedTokenMatcher::Match AddedTokenMatcher::longest_at(std::string_view text, size_t at) const {
  Match best{Node::kNoToken, at};
  size_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    node = child(node, text[i]);
    if (node == 0) break;
    if (nodes_[node].token != Node::kNoToken) best = {nodes_[node].token, i + 1};
  }
  return best;
}

std::vector<TextSegment> AddedTokenMatcher::split(std::string_view text) const {
  std::vector<TextSegment> segments;
  size_t plain = 0;  // where the text not yet given out starts
  const auto give_plain = [&](size_t end) {
    if (plain < end) segments.push_back({text.substr(plain, end - plain)});
  };
  for (size_t at = 0; at < text.size();) {
    const Match match = longest_at(text, at);
    if (match.token == Node::kNoToken) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match.token];
    const size_t begin = std::exchange(at, match.end);
    if (token.single_word && touches_word(text, begin, match.end)) continue;
    const size_t from = token.lstrip ? std::max(skip_spaces_back(text, begin), plain) : begin;
    const size_t to = token.rstrip ? skip_spaces(text, match.end) : match.end;
    give_plain(from);
    if (from < to) segments.push_back({{}, token.id});  // else the token before it has swallowed it
    plain = to;
  }
  give_plain(text.size());
  return segments;
}

}  // namespace grpo::text
