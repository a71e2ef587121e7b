#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>

#include "grpo/core/nearest.h"
#include "grpo/data/strings.h"
#include "grpo/reward/verdicts.h"
#include "math/latex.h"

namespace grpo {
namespace {

constexpr size_t kCompared = 64;      // bytes of each text
constexpr double kManyDigits = 6.0;   // that agree: as near as other numbers can be
constexpr double kHundredfold = 0.7;  // a percentage and its value

std::optional<double> plain_number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("+-.0123456789") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return *end == '\0' && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

double nearness_of_numbers(double a, double b) {
  const double size = std::max(std::abs(a), std::abs(b));
  if (a == b) return 1.0;
  const double apart = std::abs(a - b) / size;
  if (std::abs(std::abs(a * 100.0 - b) / size) < 1e-9 || std::abs(std::abs(a - b * 100.0) / size) < 1e-9) return kHundredfold;
  return std::clamp(-std::log10(apart) / kManyDigits, 0.0, 0.95);
}

/// LaTeX's commands that say how something looks and not what it is.
bool is_layout(std::string_view command) {
  static constexpr std::array<std::string_view, 14> kLayout = {"left", "right", "text",  "mathrm", "mathbf", "textbf",       "boxed",
                                                               "fbox", "frac",  "dfrac", "tfrac",  "quad",   "displaystyle", "mbox"};
  return std::ranges::find(kLayout, command) != kLayout.end();
}

/// What of a text is compared: letters, digits, signs and points within numbers, one space for all between.
std::string skeleton(std::string_view text) {
  std::string result;
  bool apart = false;
  const auto add = [&](std::string_view part) {
    if (apart && !result.empty()) result += ' ';
    apart = false;
    result += part;
  };
  for (size_t i = 0; i < text.size() && result.size() < kCompared;) {
    const char c = text[i];
    const bool digit_follows = i + 1 < text.size() && is_digit(text[i + 1]);
    size_t length = 1;
    if (c == '\\') {
      while (i + length < text.size() && is_ascii_letter(text[i + length])) ++length;
      apart = true;
      if (length > 1 && !is_layout(text.substr(i + 1, length - 1))) add(text.substr(i + 1, length - 1));
      apart = true;
    } else if (is_ascii_letter(c) || is_digit(c) || static_cast<signed char>(c) < 0 || ((c == '.' || c == '-') && digit_follows)) {
      add(text.substr(i, 1));
    } else {
      apart = true;
    }
    i += length;
  }
  return result.substr(0, kCompared);
}

/// Whether `part` stands in `whole` between spaces or its ends.
bool holds(const std::string& whole, const std::string& part) { return (" " + whole + " ").find(" " + part + " ") != std::string::npos; }

}  // namespace

double nearness(std::string_view a, std::string_view b) {
  const std::string x = skeleton(a), y = skeleton(b);
  if (x.empty() || y.empty()) return a == b ? 1.0 : 0.0;
  if (const auto m = plain_number(x), n = plain_number(y); m && n) return nearness_of_numbers(*m, *n);
  const auto longer = static_cast<double>(std::max(x.size(), y.size())), shorter = static_cast<double>(std::min(x.size(), y.size()));
  const double untouched = 1.0 - static_cast<double>(edit_distance(x, y)) / longer;
  return holds(x, y) || holds(y, x) ? std::max(untouched, 0.6 + 0.4 * shorter / longer) : std::max(untouched, 0.0);
}

}  // namespace grpo
