#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Python's string operations on UTF-8. A byte that is not part of well-formed UTF-8 counts as one character and is kept.
namespace grpo::jinja {

std::vector<std::string_view> characters(std::string_view text);
int64_t character_count(std::string_view text);
/// The Unicode number of one of `characters()`'s elements, or -1 where malformed.
int32_t code_point(std::string_view character);
bool is_space(std::string_view character);
bool is_printable(std::string_view character);  // as Python's repr() sees it
bool is_letter(std::string_view character);
bool is_digit(std::string_view character);

/// Like std::string_view::find(), but linear in the worst case.
size_t find(std::string_view text, std::string_view part);

enum class Side { kLeft, kRight, kBoth };
/// Strips white space, or where `set` is given any of its characters.
std::string_view strip(std::string_view text, const std::string* set, Side side);

/// `limit` < 0 means no limit. An empty separator is the caller's mistake.
std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t limit);
std::vector<std::string_view> split_right(std::string_view text, std::string_view separator, int64_t limit);
/// At runs of white space, which also vanish at both ends; the part that `limit` leaves unsplit keeps what stands before or behind it.
std::vector<std::string_view> split_space(std::string_view text, int64_t limit);
std::vector<std::string_view> split_space_right(std::string_view text, int64_t limit);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

int64_t count(std::string_view text, std::string_view part);
/// Replaces the first `limit` occurrences (all where negative).
std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t limit);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);         // str.title(): a word is a run of letters
std::string title_filter(std::string_view text);  // the filter: words are split at white space, '-', '(', '{', '[' and '<'

}  // namespace grpo::jinja
