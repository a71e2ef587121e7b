#include "core/json.h"

#include <utility>
#include <vector>

namespace grpo {
namespace {

/// Builds a tree of the parser's events, within limits.
template <class Json>
class Tree final : public nlohmann::json_sax<Json> {
 public:
  explicit Tree(const JsonLimits& limits, bool throws) : limits_(limits), throws_(throws) {}
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(typename Json::number_integer_t value) override { return add(value); }
  bool number_unsigned(typename Json::number_unsigned_t value) override { return add(value); }
  bool number_float(typename Json::number_float_t value, const typename Json::string_t& digits) override {
    if (digits.find_first_of(".eE") != std::string::npos) return add(value);
    return add(Json::binary(std::vector<uint8_t>(digits.begin(), digits.end())));
  }
  bool string(typename Json::string_t& value) override { return add(std::move(value)); }
  bool binary(typename Json::binary_t&) override { return false; }  // JSON text has none
  bool key(typename Json::string_t& name) override {
    Json& object = *open_.back();
    if (object.size() >= limits_.keys) return refuse("expected at most " + std::to_string(limits_.keys) + " keys in an object; got more");
    if (limits_.unique_keys && object.contains(name)) return refuse("expected unique names; got \"" + name + "\" twice");
    member_ = &object[std::move(name)];
    return true;
  }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    using ParseError = typename Json::parse_error;
    using OutOfRange = typename Json::out_of_range;
    if (!throws_) return false;
    if (const auto* bad = dynamic_cast<const OutOfRange*>(&error)) throw OutOfRange(*bad);
    throw ParseError(dynamic_cast<const ParseError&>(error));
  }

 private:
  bool refuse(const std::string& what) const {
    if (throws_) throw Json::parse_error::create(kJsonLimitError, 0, what, nullptr);
    return false;
  }
  /// The place of a value that comes next.
  Json& put(Json&& value) {
    if (open_.empty()) return root_ = std::move(value);
    if (!open_.back()->is_array()) return *member_ = std::move(value);
    open_.back()->push_back(std::move(value));
    return open_.back()->back();
  }
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json empty) {
    if (open_.size() >= limits_.depth) {
      return refuse("expected JSON nested at most " + std::to_string(limits_.depth) + " deep; got more");
    }
    open_.push_back(&put(std::move(empty)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  bool throws_;
  Json root_;
  std::vector<Json*> open_;  // lists and objects that have not ended, which nothing moves until they have
  Json* member_ = nullptr;   // of the innermost object
};

template <class Json>
bool has_big_integer(const Json& value) {
  if (!value.is_structured()) return is_big_integer(value);
  for (const auto& item : value) {
    if (has_big_integer(item)) return true;
  }
  return false;
}

/// What the library would write, with big integers as they stood.
template <class Json>
class Writer {
 public:
  Writer(int indent, typename Json::error_handler_t on_bad_text) : indent_(indent), on_bad_text_(on_bad_text) {}

  void write(const Json& value, int level) {
    if (is_big_integer(value)) {
      out.append(value.get_binary().begin(), value.get_binary().end());
    } else if (!value.is_structured() || value.empty()) {
      out += scalar(value);
    } else {
      out += value.is_object() ? '{' : '[';
      bool first = true;
      for (const auto& [key, item] : value.items()) {
        if (!first) out += ',';
        first = false;
        break_line(level + 1);
        if (value.is_object()) out.append(scalar(Json(key))).append(indent_ < 0 ? ":" : ": ");
        write(item, level + 1);
      }
      break_line(level);
      out += value.is_object() ? '}' : ']';
    }
  }

  std::string out;

 private:
  std::string scalar(const Json& value) const { return value.dump(-1, ' ', false, on_bad_text_); }
  void break_line(int level) {
    if (indent_ >= 0) out.append("\n").append(static_cast<size_t>(indent_) * static_cast<size_t>(level), ' ');
  }

  int indent_;
  typename Json::error_handler_t on_bad_text_;
};

template <class Json>
std::string written(const Json& json, int indent, typename Json::error_handler_t on_bad_text) {
  if (!has_big_integer(json)) return json.dump(indent, ' ', false, on_bad_text);
  Writer<Json> writer(indent, on_bad_text);
  writer.write(json, 0);
  return std::move(writer.out);
}

}  // namespace

template <class Json>
Json parse_json(std::string_view text, const JsonLimits& limits) {
  Tree<Json> tree(limits, true);
  Json::sax_parse(text, &tree);
  return tree.take();
}

template <class Json>
bool read_json(std::string_view text, nlohmann::json_sax<Json>& reader) {
  return Json::sax_parse(text, &reader);
}

template <class Json>
Json try_parse_json(std::string_view text) {
  const JsonLimits limits;
  Tree<Json> tree(limits, false);
  return Json::sax_parse(text, &tree) ? tree.take() : Json(Json::value_t::discarded);
}

template nlohmann::json parse_json(std::string_view, const JsonLimits&);
template nlohmann::ordered_json parse_json(std::string_view, const JsonLimits&);
template bool read_json(std::string_view, nlohmann::json_sax<nlohmann::json>&);
template bool read_json(std::string_view, nlohmann::json_sax<nlohmann::ordered_json>&);
template nlohmann::json try_parse_json(std::string_view);
template nlohmann::ordered_json try_parse_json(std::string_view);

bool is_json(std::string_view text) { return !try_parse_json(text).is_discarded(); }

std::string to_text(const nlohmann::json& json, int indent) { return written(json, indent, nlohmann::json::error_handler_t::strict); }
std::string to_text(const nlohmann::ordered_json& json, int indent) {
  return written(json, indent, nlohmann::ordered_json::error_handler_t::strict);
}
std::string to_printable_text(const nlohmann::json& json) { return written(json, -1, nlohmann::json::error_handler_t::replace); }
std::string to_printable_text(const nlohmann::ordered_json& json) {
  return written(json, -1, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace grpo
