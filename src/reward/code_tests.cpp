#include "reward/code_tests.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail_form(const std::string& text) {
  fail("code",
       "expected tests as assert statements, a list of them, {\"inputs\": …, \"outputs\": …} or a list of {\"input\": …, \"output\": …}; "
       "got " +
           clip_text(text, 120));
}

const std::string* field(const Problem& problem, const std::string& name) {
  const auto found = problem.fields.find(name);
  return found == problem.fields.end() || found->second.empty() || found->second == "null" ? nullptr : &found->second;
}

/// A text, or a list of lines.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return to_printable_text(value);
  std::string all;
  for (const Json& line : value) all += text_of(line) + "\n";
  return all;
}

Json parsed_or_text(const std::string& text) {
  Json value = try_parse_json(text);
  return value.is_discarded() ? Json(text) : value;
}

/// The arguments of a call: a list, or a text with one as JSON on each line.
Json arguments_of(const Json& input) {
  if (input.is_array()) return input;
  Json list = Json::array();
  std::string_view left = input.is_string() ? std::string_view(input.get_ref<const std::string&>()) : std::string_view();
  if (!input.is_string()) return Json::array({input});
  while (!trim(left).empty()) {
    const size_t end = std::min(left.find('\n'), left.size());
    list.push_back(parsed_or_text(std::string(trim(left.substr(0, end)))));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return list;
}

CodeTests calls_of(const std::string& function, const Json& inputs, const Json& outputs) {
  Json calls = Json::array();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Json& output = outputs[i];
    calls.push_back({arguments_of(inputs[i]), output.is_string() ? parsed_or_text(output.get<std::string>()) : output});
  }
  return {.pairs = {}, .job = to_printable_text(Json{{"function", function}, {"calls", calls}})};
}

CodeTests pairs_of(const Json& inputs, const Json& outputs) {
  CodeTests tests;
  for (size_t i = 0; i < inputs.size(); ++i) tests.pairs.emplace_back(text_of(inputs[i]), text_of(outputs[i]));
  return tests;
}

std::string function_of(const Problem& problem) {
  for (const char* name : {"fn_name", "entry_point", "func_name"}) {
    if (const std::string* function = field(problem, name)) return *function;
  }
  return {};
}

CodeTests from_lists(const Problem& problem, const Json& value, const Json& inputs, const Json& outputs) {
  if (!inputs.is_array() || !outputs.is_array() || inputs.size() != outputs.size())
    fail("code", "expected as many inputs as outputs in two lists; got " + clip_text(to_printable_text(inputs), 60) + " and " +
                     clip_text(to_printable_text(outputs), 60));
  std::string function = value.is_object() && value.contains("fn_name") && value["fn_name"].is_string() ? value["fn_name"] : Json("");
  if (function.empty()) function = function_of(problem);
  return function.empty() ? pairs_of(inputs, outputs) : calls_of(function, inputs, outputs);
}

/// Sources in Python, with what some datasets keep beside them.
CodeTests from_sources(const Problem& problem, const std::vector<std::string>& sources) {
  Json setup = Json::array();
  for (const char* name : {"test_imports", "test_setup_code"}) {
    if (const std::string* text = field(problem, name)) setup.push_back(text_of(parsed_or_text(*text)));
  }
  return {.pairs = {}, .job = to_printable_text(Json{{"setup", setup}, {"tests", sources}, {"check", function_of(problem)}})};
}

CodeTests from_list(const Problem& problem, const Json& list, const std::string& text) {
  const auto all = [&list](auto is) { return !list.empty() && std::all_of(list.begin(), list.end(), is); };
  if (all([](const Json& item) { return item.is_string(); })) return from_sources(problem, list.get<std::vector<std::string>>());
  if (!all([](const Json& item) { return item.is_object() && item.contains("input") && item.contains("output"); })) fail_form(text);
  Json inputs = Json::array(), outputs = Json::array();
  for (const Json& item : list) {
    inputs.push_back(item["input"]);
    outputs.push_back(item["output"]);
  }
  return from_lists(problem, list.front(), inputs, outputs);
}

CodeTests from_text(const Problem& problem, const std::string& text) {
  Json value = try_parse_json(text);
  if (value.is_string()) value = try_parse_json(value.get<std::string>());
  if (value.is_array()) return from_list(problem, value, text);
  if (value.is_object()) {
    if (!value.contains("inputs") || !value.contains("outputs")) fail_form(text);
    return from_lists(problem, value, value["inputs"], value["outputs"]);
  }
  if (text.find("assert") == std::string::npos) fail_form(text);
  return from_sources(problem, {text});
}

std::string_view next_line(std::string_view& left) {
  const size_t end = std::min(left.find('\n'), left.size());
  std::string_view line = left.substr(0, end);
  left.remove_prefix(std::min(end + 1, left.size()));
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  return line;
}

}  // namespace

std::optional<CodeTests> code_tests(const Problem& problem, const std::string& column) {
  if (!column.empty()) {
    const std::string* text = field(problem, column);
    return text == nullptr ? std::nullopt : std::optional(from_text(problem, *text));
  }
  for (const char* name : {"tests", "test_list", "test", "input_output"}) {
    if (const std::string* text = field(problem, name)) return from_text(problem, *text);
  }
  const std::string *inputs = field(problem, "inputs"), *outputs = field(problem, "outputs");
  if (inputs != nullptr && outputs != nullptr) return from_lists(problem, {}, try_parse_json(*inputs), try_parse_json(*outputs));
  if (!problem.answer.empty() && try_parse_json(problem.answer).is_object()) return from_text(problem, problem.answer);
  return std::nullopt;
}

bool same_output(std::string_view written, std::string_view expected) {
  while (!written.empty() && is_space(written.back())) written.remove_suffix(1);
  while (!expected.empty() && is_space(expected.back())) expected.remove_suffix(1);
  while (!written.empty() && !expected.empty()) {
    if (next_line(written) != next_line(expected)) return false;
  }
  return written.empty() && expected.empty();
}

}  // namespace grpo
