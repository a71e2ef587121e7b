#include "text/byte_level.h"

#include <array>

#include "core/utf8.h"

namespace grpo::text {
namespace {

constexpr char32_t kAlphabetEnd = 0x144;  // 256 bytes, of which 188 stand for themselves

struct Alphabet {
  std::array<std::string, 256> spelling;
  std::array<int, kAlphabetEnd> byte;

  Alphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const char32_t code = printable ? static_cast<char32_t>(b) : next++;
      append_utf8(spelling[static_cast<size_t>(b)], code);
      byte[code] = b;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) out += alphabet().spelling[static_cast<unsigned char>(byte)];
  return out;
}

std::optional<std::string> alphabet_to_bytes(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  for (size_t at = 0; at < token.size();) {
    const Utf8Step step = next_character(token, at);
    if (step.status != Utf8Status::kValid || step.code >= kAlphabetEnd || alphabet().byte[step.code] < 0) return std::nullopt;
    out += static_cast<char>(alphabet().byte[step.code]);
    at += step.length;
  }
  return out;
}

}  // namespace grpo::text
