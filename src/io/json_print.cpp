#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "io/json_tree.h"

namespace grpo {
namespace {

class JsonPrinter {
 public:
  explicit JsonPrinter(bool compact) : compact_(compact) {}

  std::string take(const JsonValue& value) {
    print(value, 0);
    return std::move(out_);
  }

 private:
  void print(const JsonValue& value, int depth) {
    std::visit([&](const auto& data) { print_data(data, depth); }, value.data);
  }

  void print_data(std::nullptr_t, int) { out_ += "null"; }
  void print_data(bool value, int) { out_ += value ? "true" : "false"; }
  void print_data(int64_t value, int) { out_ += std::to_string(value); }

  void print_data(double value, int) {
    GRPO_CHECK(std::isfinite(value), "json_text", "expected a finite number; got " + std::to_string(value));
    char digits[32];
    const std::string_view shortest(digits, static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits));
    out_ += shortest;
    if (shortest.find_first_of(".e") == std::string_view::npos) out_ += ".0";
  }

  void print_data(const std::string& text, int) {
    GRPO_CHECK(find_bad_utf8(text) == std::string_view::npos, "json_text", "expected UTF-8; got other bytes");
    out_ += '"';
    for (const char c : text) print_char(c);
    out_ += '"';
  }

  void print_char(char c) {
    static constexpr std::string_view kNames = "\"\\bfnrt", kMeanings = "\"\\\b\f\n\r\t";
    const size_t which = kMeanings.find(c);
    if (which != std::string_view::npos) {
      out_ += {'\\', kNames[which]};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out_ += escaped;
    } else {
      out_ += c;
    }
  }

  void print_data(const JsonValue::Array& items, int depth) {
    const bool flat = std::none_of(items.begin(), items.end(), [](const JsonValue& item) {
      return item.get<JsonValue::Array>() != nullptr || item.get<JsonValue::Object>() != nullptr;
    });
    out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += flat && !compact_ ? ", " : ",";
      if (!flat) new_line(depth + 1);
      print(items[i], depth + 1);
    }
    if (!flat) new_line(depth);
    out_ += ']';
  }

  void print_data(const JsonValue::Object& members, int depth) {
    out_ += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out_ += ',';
      new_line(depth + 1);
      print_data(members[i].key, depth);
      out_ += compact_ ? ":" : ": ";
      print(members[i].value, depth + 1);
    }
    if (!members.empty()) new_line(depth);
    out_ += '}';
  }

  void new_line(int depth) {
    if (!compact_) out_.append("\n").append(static_cast<size_t>(2 * depth), ' ');
  }

  bool compact_;
  std::string out_;
};

}  // namespace

std::string json_text(const JsonValue& value, bool compact) { return JsonPrinter(compact).take(value); }

std::string json_glimpse(const JsonValue& value) {
  if (value.get<JsonValue::Object>()) return "an object";
  if (value.get<JsonValue::Array>()) return "a list";
  constexpr size_t kLongest = 60;
  std::string text = json_text(value, true);
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string json_location(const JsonOrigin& origin, int line) {
  return origin.has_lines ? origin.name + ":" + std::to_string(line) : origin.name;
}

JsonValue json_node(JsonValue::Data data) { return {.data = std::move(data), .origin = nullptr, .line = 0, .raw = {}}; }

const JsonMember* find_member(const JsonValue::Object& object, std::string_view key) {
  const auto found = std::find_if(object.begin(), object.end(), [&](const JsonMember& member) { return member.key == key; });
  return found == object.end() ? nullptr : &*found;
}

JsonMember* find_member(JsonValue::Object& object, std::string_view key) {
  return const_cast<JsonMember*>(find_member(std::as_const(object), key));
}

}  // namespace grpo
