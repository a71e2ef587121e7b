#include "report/html.h"

#include <charconv>
#include <cmath>

namespace grpo::report {
namespace {

std::string printed(double value, std::chars_format format, int precision) {
  char buffer[512];  // the longest: 309 digits before the point
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, format, precision);
  return error == std::errc() ? std::string(buffer, end) : std::string("?");
}

/// 1.5e-6, 2e-6, 3e20.
std::string scientific(double value) {
  const std::string text = printed(value, std::chars_format::scientific, 1);
  const size_t e = text.find('e');
  const std::string digits = text.substr(text.find_first_not_of("+-0", e + 1));
  return without_zero(text.substr(0, e)) + (text[e + 1] == '-' ? "e-" : "e") + digits;
}

std::string whole(double value) { return fixed(std::floor(value), 0); }

}  // namespace

std::string without_zero(std::string number) {
  if (number.ends_with(".0")) number.resize(number.size() - 2);
  return number;
}

std::string escape(std::string_view text) {
  std::string html;
  html.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          html += "\xEF\xBF\xBD";
        } else {
          html += c;
        }
    }
  }
  return html;
}

std::string shortened(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  while (bytes > 0 && continues(text[bytes])) --bytes;
  return std::string(text.substr(0, bytes)) + "…";
}

std::string fixed(double value, int decimals) {
  const std::string text = printed(value, std::chars_format::fixed, decimals);
  return text.find_first_not_of("-0.") == std::string::npos && text[0] == '-' ? text.substr(1) : text;  // no "-0.0"
}

std::string exact(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string figure(double value) {
  const double size = std::abs(value);
  if (size == 0.0) return "0";
  if (size < 1e-3 || size >= 1e15) return scientific(value);
  for (const auto& [unit, suffix] : {std::pair(1e12, "T"), std::pair(1e9, "G"), std::pair(1e6, "M"), std::pair(1e3, "k")}) {
    if (size >= unit * (unit == 1e3 ? 10.0 : 1.0)) return without_zero(fixed(value / unit, size < 100.0 * unit ? 1 : 0)) + suffix;
  }
  return size >= 100.0 ? fixed(value, 0) : printed(value, std::chars_format::general, 3);
}

std::string percent(double value) { return std::abs(value) < 1e4 ? fixed(100.0 * value, 1) + "%" : figure(100.0 * value) + "%"; }

std::string duration(double seconds) {
  const auto two = [seconds](double large, const char* name, double small, const char* rest) {
    return whole(seconds / large) + name + whole(std::fmod(seconds, large) / small) + rest;
  };
  if (seconds < 10.0) return fixed(seconds, 1) + " s";
  if (seconds < 60.0) return whole(seconds) + " s";
  if (seconds < 3600.0) return two(60.0, " min ", 1.0, " s");
  if (seconds < 86400.0) return two(3600.0, " h ", 60.0, " min");
  return two(86400.0, " d ", 3600.0, " h");
}

}  // namespace grpo::report
