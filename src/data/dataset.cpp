#include "grpo/data/dataset.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using nlohmann::json;

constexpr std::string_view kDatasetWhere = "load_problems";
constexpr int kMaxDepth = 64;  // of nesting: writing a value as text recurses

[[noreturn]] void fail_at(std::string_view place, const std::string& message) { fail(kDatasetWhere, std::string(place) + ": " + message); }

std::string at_line(const std::string& file, int64_t line) { return file + ":" + std::to_string(line); }

/// `text` begins on line `line` of `file`.
json parse_at(std::string_view text, const std::string& file, int64_t line) {
  const auto limit_depth = [&](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) fail_at(at_line(file, line), "expected JSON nested at most " + std::to_string(kMaxDepth) + " deep; got more");
    return true;
  };
  try {
    return parse_json(text, limit_depth);
  } catch (const json::parse_error& error) {
    const std::string_view before = text.substr(0, error.byte);
    std::string_view cause = error.what();
    cause.remove_prefix(std::min(cause.size(), cause.find(": ") + 2));  // the library's own position
    fail_at(at_line(file, line + std::count(before.begin(), before.end(), '\n')), "expected JSON in UTF-8; got a " + clip_text(cause, 200));
  } catch (const json::exception& error) {
    fail_at(at_line(file, line), "expected JSON; got " + clip_text(error.what(), 200));
  }
}

/// The columns of one row, each used at most once.
class Row {
 public:
  Row(const json& columns, std::string_view place) : columns_(columns), place_(place) {
    if (!columns.is_object()) fail_at(place, std::string("expected an object; got ") + columns.type_name());
  }

  /// The column `name` or, where that is the default name, the first of `aliases` that is there; null where absent.
  const json* find(const std::string& name, const std::string& default_name, std::initializer_list<const char*> aliases = {}) {
    if (const json* column = use(name)) return column;
    if (name != default_name) fail_at(place_, "expected a column '" + name + "'; got " + column_names());
    for (const char* alias : aliases) {
      if (const json* column = use(alias)) return column;
    }
    return nullptr;
  }

  void move_rest_to(std::map<std::string, std::string>& fields) const {
    for (const auto& [name, value] : columns_.items()) {
      if (!used_.contains(name)) fields[name] = value.is_string() ? value.get<std::string>() : to_text(value);
    }
  }

  std::string column_names() const {
    std::string names;
    for (const auto& [name, value] : columns_.items()) names += (names.empty() ? "'" : ", '") + name + "'";
    return names.empty() ? "an empty object" : names;
  }

 private:
  const json* use(const std::string& name) {
    const auto found = columns_.find(name);
    if (found == columns_.end() || found->is_null()) return nullptr;
    used_.insert(name);
    return &*found;
  }

  const json& columns_;
  std::string_view place_;
  std::unordered_set<std::string> used_;
};

std::string read_string(const json& value, const std::string& column, std::string_view place) {
  if (!value.is_string()) fail_at(place, "expected text in '" + column + "'; got " + value.type_name());
  return value.get<std::string>();
}

std::string read_answer(const json& value, const std::string& column, std::string_view place) {
  if (value.is_number()) return to_text(value);
  if (!value.is_string()) fail_at(place, "expected text or a number in '" + column + "'; got " + value.type_name());
  return value.get<std::string>();
}

std::vector<Message> read_messages(const json& value, std::string_view place) {
  std::vector<Message> messages;
  for (const json& item : value) {
    const bool is_message = item.is_object() && item.contains("role") && item.contains("content");
    if (!is_message) fail_at(place, "expected messages with role and content; got " + to_text(item).substr(0, 80));
    messages.push_back({read_string(item["role"], "role", place), read_string(item["content"], "content", place)});
  }
  return messages;
}

void read_prompt(Row& row, const FieldMapping& mapping, std::string_view place, Problem& problem) {
  const FieldMapping defaults;
  const json* messages = row.find(mapping.messages, defaults.messages);
  if (messages != nullptr) {
    if (!messages->is_array()) fail_at(place, "expected a list in '" + mapping.messages + "'; got " + messages->type_name());
    problem.messages = read_messages(*messages, place);
  }
  const json* question = row.find(mapping.question, defaults.question, {"problem", "prompt", "input"});
  if (question != nullptr && question->is_array() && messages == nullptr) {
    problem.messages = read_messages(*question, place);
  } else if (question != nullptr) {
    problem.question = read_string(*question, mapping.question, place);
  }
  if (collapse_white_space(problem.question).empty() && problem.messages.empty()) {
    fail_at(place,
            "expected a question in '" + mapping.question + "' or messages in '" + mapping.messages + "'; got " + row.column_names());
  }
}

/// GSM8K writes its sums as 48/2=<<48/2=24>>24 for a calculator.
std::string remove_calculator_marks(std::string text) {
  for (size_t begin = text.find("<<"); begin != std::string::npos; begin = text.find("<<", begin)) {
    const size_t end = text.find(">>", begin);
    if (end == std::string::npos) break;
    text.erase(begin, end + 2 - begin);
  }
  return text;
}

void split_answer(Problem& problem, const std::string& marker, std::string_view place) {
  const size_t at = problem.answer.rfind(marker);
  if (at == std::string::npos) fail_at(place, "expected '" + marker + "' in the answer; got '" + problem.answer.substr(0, 80) + "'");
  problem.solution = remove_calculator_marks(std::string(trim(std::string_view(problem.answer).substr(0, at))));
  problem.answer = trim(std::string_view(problem.answer).substr(at + marker.size()));
}

Problem problem_from(const json& columns, const FieldMapping& mapping, std::string_view place) {
  const FieldMapping defaults;
  Row row(columns, place);
  Problem problem;
  read_prompt(row, mapping, place, problem);
  if (const json* solution = row.find(mapping.solution, defaults.solution))
    problem.solution = read_string(*solution, mapping.solution, place);
  if (const json* answer = row.find(mapping.answer, defaults.answer, {"target", "solution"})) {
    problem.answer = read_answer(*answer, mapping.answer, place);
  }
  if (!mapping.answer_after.empty()) split_answer(problem, mapping.answer_after, place);
  row.move_rest_to(problem.fields);
  return problem;
}

/// The line on which each element of a valid JSON array begins.
std::vector<int64_t> element_lines(std::string_view array) {
  std::vector<int64_t> lines;
  int64_t line = 1;
  int depth = 0;
  bool in_string = false;
  bool element_next = false;  // the next character that is no white space begins an element
  for (size_t i = 0; i < array.size(); ++i) {
    const char c = array[i];
    if (c == '\n') ++line;
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      continue;
    }
    if (element_next && !is_space(c)) {
      if (c != ']') lines.push_back(line);
      element_next = false;
    }
    if (c == '[' || c == '{') element_next = depth++ == 0;
    if (c == ']' || c == '}') --depth;
    if (c == ',' && depth == 1) element_next = true;
    in_string = c == '"';
  }
  return lines;
}

std::vector<Problem> load_array(const std::string& text, const FieldMapping& mapping, const std::string& file) {
  const json rows = parse_at(text, file, 1);
  if (!rows.is_array()) fail_at(file, std::string("expected an array of objects; got ") + rows.type_name());
  const std::vector<int64_t> lines = element_lines(text);
  std::vector<Problem> problems;
  for (size_t i = 0; i < rows.size(); ++i) problems.push_back(problem_from(rows[i], mapping, at_line(file, lines.at(i))));
  return problems;
}

std::vector<Problem> load_lines(std::string_view text, const FieldMapping& mapping, const std::string& file) {
  std::vector<Problem> problems;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    ++number;
    if (!trim(line).empty()) problems.push_back(parse_problem(line, mapping, file, number));
  }
  return problems;
}

}  // namespace

Problem parse_problem(std::string_view json_text, const FieldMapping& mapping, const std::string& file, int64_t line) {
  return problem_from(parse_at(json_text, file, line), mapping, at_line(file, line));
}

std::vector<Problem> load_problems(const std::filesystem::path& path, const FieldMapping& mapping) {
  const std::string file = path.string();
  const bool is_array = path.extension() == ".json";
  if (!is_array && path.extension() != ".jsonl") fail_at(file, "expected a .jsonl or .json file; got another extension");
  const std::string text = file_text(path, kDatasetWhere);
  std::vector<Problem> problems = is_array ? load_array(text, mapping, file) : load_lines(text, mapping, file);
  if (problems.empty()) fail_at(file, "expected at least one problem; got an empty file");
  for (size_t i = 0; i < problems.size(); ++i) problems[i].index = static_cast<int64_t>(i);
  return problems;
}

std::string problem_key(const Problem& problem) {
  if (problem.messages.empty()) return collapse_white_space(problem.question);
  std::string key;
  for (const Message& message : problem.messages) key += message.role + ": " + collapse_white_space(message.content) + "\n";
  return key;
}

void check_disjoint(std::span<const Problem> train, std::span<const Problem> eval) {
  std::unordered_set<std::string> known;
  for (const Problem& problem : train) known.insert(problem_key(problem));
  int64_t shared = 0;
  std::string first;
  for (const Problem& problem : eval) {
    const std::string key = problem_key(problem);
    if (known.contains(key) && shared++ == 0) first = key;
  }
  if (shared == 0) return;
  fail("check_disjoint", "expected evaluation problems that are not trained on; got " + std::to_string(shared) +
                             " shared ones, the first: '" + clip_text(first, 120) + "'");
}

}  // namespace grpo
