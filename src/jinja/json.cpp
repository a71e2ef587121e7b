#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "jinja/format.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

void append_unit(std::string& out, int32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[(unit >> shift) & 15];
}

void append_escaped(std::string& out, int32_t code) {
  if (code >= 0x10000) {  // a UTF-16 surrogate pair
    append_unit(out, 0xD800 + ((code - 0x10000) >> 10));
    append_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
  } else {
    append_unit(out, code);
  }
}

void append_string(std::string& out, std::string_view text, bool ensure_ascii) {
  static constexpr std::string_view kNamed = "\"\\\n\r\t\f\b";
  out += '"';
  for (const std::string_view character : characters(text)) {
    const int32_t code = code_point(character);
    if (const size_t named = kNamed.find(character); named != std::string_view::npos) {
      out.append("\\").append(1, "\"\\nrtfb"[named]);
    } else if ((code >= 0 && code < 0x20) || (ensure_ascii && code > 0x7E)) {
      append_escaped(out, code);
    } else {
      out += character;
    }
  }
  out += '"';
}

std::string json_number(const Value& value) {
  if (const bool* flag = value.boolean()) return *flag ? "true" : "false";
  if (!value.real()) return std::to_string(value.integer());
  const double number = *value.real();
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  return real_repr(number);
}

class JsonWriter {
 public:
  JsonWriter(Context& context, const JsonStyle& style) : context_(context), style_(style) {}

  void write(const Value& value, int level) {
    context_.charge(value.text() ? value.weight() : 1);
    if (const std::string* text = value.text()) {
      append_string(out, *text, style_.ensure_ascii);
    } else if (const Sequence* list = value.sequence()) {
      write_sequence(*list, level);
    } else if (const Dict* dict = value.dict()) {
      write_dict(*dict, level);
    } else {
      out += scalar(value);
    }
  }

  std::string out;

 private:
  std::string scalar(const Value& value) const {
    if (value.is_number()) return json_number(value);
    if (!value.is_none()) context_.fail(std::string("an object of type ") + value.type_name() + " cannot be written as JSON");
    return "null";
  }

  void write_sequence(const Sequence& list, int level) {
    out += '[';
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      break_line(level + 1);
      write(list.items[i], level + 1);
    }
    if (!list.items.empty()) break_line(level);
    out += ']';
  }

  void write_dict(const Dict& dict, int level) {
    out += '{';
    auto items = dict.items();
    if (style_.sort_keys) sort_by_key(items);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      break_line(level + 1);
      const Value& key = items[i].first;
      append_string(out, key.text() ? *key.text() : scalar(key), style_.ensure_ascii);
      out += style_.key_separator;
      write(items[i].second, level + 1);
    }
    if (!items.empty()) break_line(level);
    out += '}';
  }

  void sort_by_key(std::vector<std::pair<Value, Value>>& items) const {
    for (const auto& [key, value] : items) {
      if (!key.text()) context_.fail("sort_keys expected string keys; got " + std::string(key.type_name()));
    }
    std::sort(items.begin(), items.end(), [](const auto& left, const auto& right) { return *left.first.text() < *right.first.text(); });
  }

  void break_line(int level) {
    if (!style_.indent) return;
    context_.charge_bytes(style_.indent->size() * static_cast<size_t>(level));
    out += '\n';
    for (int i = 0; i < level; ++i) out += *style_.indent;
  }

  Context& context_;
  const JsonStyle& style_;
};

/// Builds values from the parser's events.
class Builder : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  explicit Builder(std::string_view where) : where_(where) {}
  Value take() { return std::move(root_); }

  bool null() override { return add(Value()); }
  bool boolean(bool value) override { return add(Value(value)); }
  bool number_integer(number_integer_t value) override { return add(Value(static_cast<int64_t>(value))); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) too_large(std::to_string(value));
    return add(Value(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& digits) override {
    if (digits.find_first_of(".eE") == string_t::npos) too_large(digits);
    return add(Value(value));
  }
  bool string(string_t& value) override { return add(Value(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // JSON text has none
  bool key(string_t& value) override {
    open_.back().key = std::move(value);
    return true;
  }
  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }
  bool end_object() override {
    Value made{Value::Data(std::make_shared<const Dict>(std::move(open_.back().dict)))};
    open_.pop_back();
    return add(std::move(made));
  }
  bool end_array() override {
    Value made{Value::Data(std::shared_ptr<const Sequence>(make_sequence(std::move(open_.back().list), false)))};
    open_.pop_back();
    return add(std::move(made));
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    fail(where_, std::string("expected valid JSON; got ") + error.what());
  }

 private:
  struct Open {
    bool is_dict = false;
    std::string key;
    Dict dict;
    std::vector<Value> list;
  };

  [[noreturn]] void too_large(const std::string& digits) const {
    fail(where_, "expected integers of at most 64 bits; got " + digits.substr(0, 40));
  }
  bool open(bool is_dict) {
    if (open_.size() >= static_cast<size_t>(Context::kMaxValueDepth))
      fail(where_, "expected JSON nested at most 100 levels deep; got more");
    open_.push_back({is_dict, {}, {}, {}});
    return true;
  }
  bool add(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_dict) {
      open_.back().dict.set(Value(open_.back().key), std::move(value));
    } else {
      open_.back().list.push_back(std::move(value));
    }
    return true;
  }

  std::string_view where_;
  std::vector<Open> open_;
  Value root_;
};

}  // namespace

std::string to_json(Context& context, const Value& value, const JsonStyle& style) {
  JsonWriter writer(context, style);
  writer.write(value, 0);
  return std::move(writer.out);
}

Value parse_json(std::string_view text, std::string_view where) {
  Builder builder(where);
  read_json(text, builder);
  return builder.take();
}

}  // namespace grpo::jinja
