#include "core/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "core/unicode_additions.h"

namespace grpo {
namespace {

struct LeadByte {
  size_t length = 0;  // 0: no character starts so
  unsigned char second_low = 0x80, second_high = 0xBF;
  char32_t bits = 0;
};

// Table 3-7 of the Unicode Standard: well-formed UTF-8 byte sequences.
LeadByte lead_byte(unsigned char byte) {
  if (byte < 0x80) return {.length = 1, .bits = byte};
  if (byte < 0xC2 || byte > 0xF4) return {};
  if (byte < 0xE0) return {.length = 2, .bits = byte & 0x1Fu};
  if (byte < 0xF0) {
    return {.length = 3,
            .second_low = static_cast<unsigned char>(byte == 0xE0 ? 0xA0 : 0x80),
            .second_high = static_cast<unsigned char>(byte == 0xED ? 0x9F : 0xBF),
            .bits = byte & 0x0Fu};
  }
  return {.length = 4,
          .second_low = static_cast<unsigned char>(byte == 0xF0 ? 0x90 : 0x80),
          .second_high = static_cast<unsigned char>(byte == 0xF4 ? 0x8F : 0xBF),
          .bits = byte & 0x07u};
}

bool is_circled_letter(char32_t code) {
  return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169) ||
         (code >= 0x1F170 && code <= 0x1F189);
}

bool is_added_word_character(char32_t code) {
  return std::any_of(kUnicodeAdditions.begin(), kUnicodeAdditions.end(), [&](const CategoryRange& range) {
    const char major = range.category[0];
    return code >= range.first && code <= range.last && (major == 'L' || major == 'M' || range.category == "Nd");
  });
}

}  // namespace

Utf8Step next_character(std::string_view text, size_t at) {
  const LeadByte lead = lead_byte(static_cast<unsigned char>(text[at]));
  if (lead.length == 0) return {.length = 1, .status = Utf8Status::kInvalid};
  char32_t code = lead.bits;
  for (size_t i = 1; i < lead.length; ++i) {
    if (at + i >= text.size()) return {.length = i, .status = Utf8Status::kIncomplete};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const unsigned char low = i == 1 ? lead.second_low : 0x80, high = i == 1 ? lead.second_high : 0xBF;
    if (byte < low || byte > high) return {.length = i, .status = Utf8Status::kInvalid};
    code = (code << 6) | (byte & 0x3Fu);
  }
  return {.code = code, .length = lead.length};
}

void append_utf8(std::string& out, char32_t code) {
  const auto byte = [&](char32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

size_t find_bad_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = next_character(text, at);
    if (step.status != Utf8Status::kValid) return at;
    at += step.length;
  }
  return std::string_view::npos;
}

bool is_valid_utf8(std::string_view text) { return find_bad_utf8(text) == std::string_view::npos; }

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_word_character(char32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    case UTF8PROC_CATEGORY_CN:
      return is_added_word_character(code);
    default:
      return code == 0x200C || code == 0x200D || is_circled_letter(code);
  }
}

bool says_something(char32_t code) {
  constexpr std::array<char32_t, 5> kUnseen = {0x115F, 0x1160, 0x2800, 0x3164,
                                               0xFFA0};  // fillers, called letters, and an empty Braille cell
  if (std::ranges::find(kUnseen, code) != kUnseen.end()) return false;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SO:
      return code >= 0x80;
    default:
      return is_added_word_character(code);
  }
}

std::string take_lossy_utf8(std::string& bytes, bool last) {
  std::string out;
  size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Step step = next_character(bytes, at);
    if (step.status == Utf8Status::kIncomplete && !last) break;
    out += step.status == Utf8Status::kValid ? std::string_view(bytes).substr(at, step.length) : kReplacementCharacter;
    at += step.length;
  }
  bytes.erase(0, at);
  return out;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t at = 0;
  for (size_t hit; (hit = text.find(from, at)) != std::string_view::npos; at = hit + from.size()) {
    out.append(text.substr(at, hit - at)).append(to);
  }
  return out.append(text.substr(at));
}

}  // namespace grpo
