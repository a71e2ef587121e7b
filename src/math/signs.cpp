#include <algorithm>
#include <array>
#include <utility>

#include "math/tokens.h"

namespace grpo {
namespace {

struct Sign {
  std::string_view unicode, plain;
};

constexpr auto kUnicodeSigns = std::to_array<Sign>({
    {"−", "-"},
    {"‐", "-"},
    {"‑", "-"},
    {"﹣", "-"},
    {"×", "*"},
    {"·", "*"},
    {"⋅", "*"},
    {"∗", "*"},
    {"∙", "*"},
    {"÷", "/"},
    {"∕", "/"},
    {"⁄", "/"},
    {"√", "\\sqrt "},
    {"∛", "\\sqrt[3] "},
    {"∜", "\\sqrt[4] "},
    {"π", "\\pi "},
    {"∞", "\\infty "},
    {"≤", "\\le "},
    {"≥", "\\ge "},
    {"⩽", "\\le "},
    {"⩾", "\\ge "},
    {"≦", "\\le "},
    {"≧", "\\ge "},
    {"≠", "\\ne "},
    {"≈", "\\approx "},
    {"≡", "\\equiv "},
    {"±", "\\pm "},
    {"∓", "\\mp "},
    {"°", "^\\circ "},
    {"º", "^\\circ "},
    {"∪", "\\cup "},
    {"∩", "\\cap "},
    {"∖", "\\setminus "},
    {"∈", "\\in "},
    {"∅", "\\emptyset "},
    {"ℝ", "\\reals "},
    {"ℤ", "\\integers "},
    {"ℚ", "\\rationals "},
    {"ℕ", "\\naturals "},
    {"ℂ", "\\complexes "},
    {"⟨", "\\langle "},
    {"⟩", "\\rangle "},
    {"∣", "|"},
    {"…", "\\dots "},
    {"⋯", "\\dots "},
    {"′", "'"},
    {"’", "'"},
    {"‘", "'"},
    {"“", "\""},
    {"”", "\""},
    {"½", "\\frac12"},
    {"⅓", "\\frac13"},
    {"⅔", "\\frac23"},
    {"¼", "\\frac14"},
    {"¾", "\\frac34"},
    {"⅕", "\\frac15"},
    {"⅖", "\\frac25"},
    {"⅗", "\\frac35"},
    {"⅘", "\\frac45"},
    {"⅙", "\\frac16"},
    {"⅚", "\\frac56"},
    {"⅛", "\\frac18"},
    {"⅜", "\\frac38"},
    {"⅝", "\\frac58"},
    {"⅞", "\\frac78"},
    {"α", "\\alpha "},
    {"β", "\\beta "},
    {"γ", "\\gamma "},
    {"δ", "\\delta "},
    {"ε", "\\epsilon "},
    {"θ", "\\theta "},
    {"λ", "\\lambda "},
    {"μ", "\\mu "},
    {"ρ", "\\rho "},
    {"σ", "\\sigma "},
    {"τ", "\\tau "},
    {"φ", "\\phi "},
    {"ω", "\\omega "},
    {"Δ", "\\Delta "},
    {"Σ", "\\Sigma "},
    {"Ω", "\\Omega "},
    {"→", "\\to "},
    {"、", ","},
    {"。", "."},
    {"\xC2\xA0", " "},
    {"\xE2\x80\xAF", "\\,"},
    {"\xE2\x80\x89", "\\,"},
    {"\xE3\x80\x80", " "},
    {"\xE2\x80\x8B", ""},
    {"\xE2\x80\x8C", ""},
    {"\xE2\x80\x8D", ""},
    {"\xE2\x80\x8E", ""},
    {"\xE2\x80\x8F", ""},
    {"\xE2\x81\xA0", ""},
    {"\xEF\xBB\xBF", ""},
});

constexpr auto kRaised = std::to_array<Sign>({{"⁰", "0"},
                                              {"¹", "1"},
                                              {"²", "2"},
                                              {"³", "3"},
                                              {"⁴", "4"},
                                              {"⁵", "5"},
                                              {"⁶", "6"},
                                              {"⁷", "7"},
                                              {"⁸", "8"},
                                              {"⁹", "9"},
                                              {"⁻", "-"},
                                              {"⁺", "+"},
                                              {"ⁿ", "n"}});
constexpr auto kLowered = std::to_array<Sign>(
    {{"₀", "0"}, {"₁", "1"}, {"₂", "2"}, {"₃", "3"}, {"₄", "4"}, {"₅", "5"}, {"₆", "6"}, {"₇", "7"}, {"₈", "8"}, {"₉", "9"}, {"ₙ", "n"}});

template <size_t N>
const Sign* match(const std::array<Sign, N>& table, std::string_view rest) {
  const auto found = std::ranges::find_if(table, [rest](const Sign& sign) { return rest.starts_with(sign.unicode); });
  return found == table.end() ? nullptr : &*found;
}

/// Takes a run of raised or lowered signs as one exponent or index.
template <size_t N>
bool take_run(const std::array<Sign, N>& table, std::string_view opening, std::string_view& rest, std::string& out) {
  if (match(table, rest) == nullptr) return false;
  out += opening;
  while (const Sign* sign = match(table, rest)) {
    out += sign->plain;
    rest.remove_prefix(sign->unicode.size());
  }
  out += '}';
  return true;
}

/// U+FF01 … U+FF5E, the full-width forms of ASCII; 0 for others.
char full_width(std::string_view rest) {
  if (rest.size() < 3 || rest[0] != '\xEF') return 0;
  const auto middle = static_cast<unsigned char>(rest[1]), last = static_cast<unsigned char>(rest[2]);
  if (middle == 0xBC && last >= 0x81 && last <= 0xBF) return static_cast<char>(last - 0x81 + 0x21);
  if (middle == 0xBD && last >= 0x80 && last <= 0x9E) return static_cast<char>(last - 0x80 + 0x60);
  return 0;
}

}  // namespace

std::string plain_signs(std::string_view answer) {
  std::string out;
  out.reserve(answer.size());
  for (std::string_view rest = answer; !rest.empty();) {
    const bool is_ascii = static_cast<unsigned char>(rest.front()) < 0x80;
    if (!is_ascii) {
      if (const char ascii = full_width(rest)) {
        out += ascii;
        rest.remove_prefix(3);
        continue;
      }
      if (const Sign* sign = match(kUnicodeSigns, rest)) {
        out += sign->plain;
        rest.remove_prefix(sign->unicode.size());
        continue;
      }
      if (take_run(kRaised, "^{", rest, out) || take_run(kLowered, "_{", rest, out)) continue;
    }
    out += rest.front();
    rest.remove_prefix(1);
  }
  return out;
}

}  // namespace grpo
