#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Text of the report page. Numbers are written alike under every locale.
namespace grpo::report {

/// `text` as HTML: markup characters as entities, control characters other than tab and line feed as U+FFFD.
std::string escape(std::string_view text);

/// The first `bytes` bytes, cut before a character that would be split, with "…" where something was left out.
std::string shortened(std::string_view text, size_t bytes);

/// `decimals` digits after the point.
std::string fixed(double value, int decimals);
/// 12.0 as 12; other texts as they are.
std::string without_zero(std::string number);
/// The shortest text that reads back as the same number.
std::string exact(double value);
/// Three significant digits: 0.0123, 4.56, 789, 20k, 4.5M, 1.5e-6.
std::string figure(double value);
/// A share as a percentage: 0.1234 gives 12.3%.
std::string percent(double value);
/// A length of time in its two largest units: 4.2 s, 3 min 20 s, 1 h 5 min, 2 d 3 h.
std::string duration(double seconds);

}  // namespace grpo::report
