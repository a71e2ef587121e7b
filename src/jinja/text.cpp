#include "jinja/text.h"

#include "core/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

namespace grpo::jinja {
namespace {

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

size_t character_size(std::string_view text, size_t at) {
  if (is_ascii(text[at])) return 1;
  utf8proc_int32_t code = 0;
  const auto size =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at), static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  return size > 0 ? static_cast<size_t>(size) : 1;
}

utf8proc_category_t category(std::string_view character) {
  const int32_t code = code_point(character);
  return code < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(code);
}

bool is_cased(std::string_view character) {
  const utf8proc_category_t kind = category(character);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

void append_mapped(std::string& out, std::string_view character, int32_t (*map)(int32_t)) {
  const int32_t code = code_point(character);
  if (code < 0) {
    out += character;
  } else if (code == 0x00DF && map != utf8proc_tolower) {  // ß has no single capital
    out += map == utf8proc_toupper ? "SS" : "Ss";
  } else {
    append_utf8(out, static_cast<char32_t>(map(code)));
  }
}

std::string map_all(std::string_view text, int32_t (*map)(int32_t)) {
  std::string out;
  out.reserve(text.size());
  for (const std::string_view character : characters(text)) append_mapped(out, character, map);
  return out;
}

bool is_line_end(std::string_view character) {
  static constexpr int32_t kEnds[] = {'\n', '\r', '\v', '\f', 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029};
  return std::find(std::begin(kEnds), std::end(kEnds), code_point(character)) != std::end(kEnds);
}

}  // namespace

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> found;
  found.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t size = character_size(text, at);
    found.push_back(text.substr(at, size));
    at += size;
  }
  return found;
}

int64_t character_count(std::string_view text) {
  int64_t number = 0;
  for (size_t at = 0; at < text.size(); at += character_size(text, at)) ++number;
  return number;
}

int32_t code_point(std::string_view character) {
  if (!character.empty() && is_ascii(character[0])) return character[0];
  utf8proc_int32_t code = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(character.data()), static_cast<utf8proc_ssize_t>(character.size()), &code);
  return code;
}

bool is_space(std::string_view character) {
  const int32_t code = code_point(character);
  if ((code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85) return true;
  if (code < 0x80) return false;
  const utf8proc_category_t kind = category(character);
  return kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL || kind == UTF8PROC_CATEGORY_ZP;
}

bool is_printable(std::string_view character) {
  if (character == " ") return true;
  switch (category(character)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool is_letter(std::string_view character) {
  const utf8proc_category_t kind = category(character);
  return is_cased(character) || kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_LO;
}

bool is_digit(std::string_view character) { return category(character) == UTF8PROC_CATEGORY_ND; }

size_t find(std::string_view text, std::string_view part) {
  const void* found = memmem(text.data(), text.size(), part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

std::string_view strip(std::string_view text, const std::string* set, Side side) {
  const std::vector<std::string_view> all = characters(text);
  const std::vector<std::string_view> chosen = set ? characters(*set) : std::vector<std::string_view>{};
  const auto goes = [&](std::string_view character) {
    return set ? std::find(chosen.begin(), chosen.end(), character) != chosen.end() : is_space(character);
  };
  auto begin = all.begin();
  auto end = all.end();
  if (side != Side::kRight) begin = std::find_if_not(begin, end, goes);
  if (side != Side::kLeft) {
    while (end != begin && goes(*(end - 1))) --end;
  }
  if (begin == end) return {};
  const auto offset = static_cast<size_t>(begin->data() - text.data());
  return text.substr(offset, static_cast<size_t>((end - 1)->data() + (end - 1)->size() - begin->data()));
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t limit) {
  std::vector<std::string_view> parts;
  for (size_t at = find(text, separator); at != std::string_view::npos && limit != 0; at = find(text, separator), --limit) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_right(std::string_view text, std::string_view separator, int64_t limit) {
  std::vector<std::string_view> parts;
  for (size_t at = text.rfind(separator); at != std::string_view::npos && limit != 0; at = text.rfind(separator), --limit) {
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_space(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  for (text = strip(text, nullptr, Side::kLeft); !text.empty(); --limit) {
    size_t end = text.size();
    if (limit != 0) {
      end = 0;
      while (end < text.size() && !is_space(text.substr(end, character_size(text, end)))) end += character_size(text, end);
    }
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
    while (!text.empty() && is_space(text.substr(0, character_size(text, 0)))) text.remove_prefix(character_size(text, 0));
  }
  return parts;
}

std::vector<std::string_view> split_space_right(std::string_view text, int64_t limit) {
  std::vector<std::string_view> words = split_space(text, -1);
  const auto number = static_cast<int64_t>(words.size());
  if (limit < 0 || number <= limit + 1) return words;
  const auto joined = words.begin() + (number - limit - 1);
  std::vector<std::string_view> parts{text.substr(0, static_cast<size_t>(joined->data() + joined->size() - text.data()))};
  parts.insert(parts.end(), joined + 1, words.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t at = 0; at < text.size();) {
    size_t size = character_size(text, at);
    if (is_line_end(text.substr(at, size))) {
      if (text.substr(at, 2) == "\r\n") size = 2;
      lines.push_back(text.substr(start, at - start + (keep_ends ? size : 0)));
      start = at + size;
    }
    at += size;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

int64_t count(std::string_view text, std::string_view part) {
  if (part.empty()) return character_count(text) + 1;
  int64_t number = 0;
  for (size_t at = find(text, part); at != std::string_view::npos; at = find(text, part)) {
    text.remove_prefix(at + part.size());
    ++number;
  }
  return number;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t limit) {
  std::string out;
  if (from.empty()) {
    for (const std::string_view character : characters(text)) {
      if (limit != 0) {
        out += to;
        --limit;
      }
      out += character;
    }
    return limit != 0 ? out.append(to) : out;
  }
  for (size_t at = find(text, from); at != std::string_view::npos && limit != 0; at = find(text, from), --limit) {
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return out.append(text);
}

std::string upper(std::string_view text) { return map_all(text, utf8proc_toupper); }
std::string lower(std::string_view text) { return map_all(text, utf8proc_tolower); }

std::string capitalize(std::string_view text) {
  if (text.empty()) return {};
  std::string out;
  const size_t first = character_size(text, 0);
  append_mapped(out, text.substr(0, first), utf8proc_totitle);
  return out + lower(text.substr(first));
}

std::string title(std::string_view text) {
  std::string out;
  bool inside = false;
  for (const std::string_view character : characters(text)) {
    append_mapped(out, character, inside ? utf8proc_tolower : utf8proc_totitle);
    inside = is_cased(character);
  }
  return out;
}

std::string title_filter(std::string_view text) {
  std::string out;
  bool inside = false;
  for (const std::string_view character : characters(text)) {
    append_mapped(out, character, inside ? utf8proc_tolower : utf8proc_toupper);
    inside = !(is_space(character) || std::string_view("-({[<").find(character) != std::string_view::npos);
  }
  return out;
}

}  // namespace grpo::jinja
