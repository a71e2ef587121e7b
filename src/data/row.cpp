#include "data/row.h"

#include <algorithm>
#include <initializer_list>
#include <list>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/json.h"
#include "data/answers.h"
#include "data/derived_column.h"
#include "data/messages.h"
#include "grpo/core/error.h"
#include "grpo/data/prompt.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

using json = nlohmann::ordered_json;  // tools and tool calls are shown to the model in their own order

constexpr size_t kMaxDepth = 64;  // of nesting: writing a value as text recurses

}  // namespace

void fail_at(std::string_view place, const std::string& message) { fail(kDatasetWhere, std::string(place) + ": " + message); }

std::string at_line(const std::string& file, int64_t line) { return file + ":" + std::to_string(line); }

/// `text` begins on line `line` of `file`.
json parse_at(std::string_view text, const std::string& file, int64_t line) {
  try {
    return parse_json<json>(text, {.depth = kMaxDepth, .keys = kMaxKeys});
  } catch (const json::parse_error& error) {
    const std::string_view before = text.substr(0, error.byte);
    std::string_view cause = error.what();
    cause.remove_prefix(std::min(cause.size(), cause.find(": ") + 2));  // the library's own position
    if (error.id == kJsonLimitError) fail_at(at_line(file, line), std::string(cause));
    fail_at(at_line(file, line + std::count(before.begin(), before.end(), '\n')), "expected JSON in UTF-8; got a " + clip_text(cause, 200));
  } catch (const json::exception& error) {
    fail_at(at_line(file, line), "expected JSON; got " + clip_text(error.what(), 200));
  }
}

namespace {

/// The columns of one row, each used at most once.
class Row {
 public:
  Row(const json& columns, std::string_view place) : columns_(columns), place_(place) {
    if (!columns.is_object()) fail_at(place, std::string("expected an object; got ") + type_name(columns));
  }

  /// The column `name` or, where that is the default name, the first of `aliases` that is there; null where absent.
  const json* find(const std::string& name, const std::string& default_name, std::initializer_list<const char*> aliases = {}) {
    if (const json* column = use(name)) return column;
    if (const json* column = derive(name)) return column;
    if (name != default_name) fail_at(place_, "expected a column '" + name + "'; got " + column_names());
    for (const char* alias : aliases) {
      if (const json* column = use(alias)) return column;
    }
    return nullptr;
  }

  void move_rest_to(Problem& problem) const {
    for (const auto& [name, value] : columns_.items()) {
      if (used_.contains(name)) continue;
      problem.fields[name] = value.is_string() ? value.get<std::string>() : to_text(value);
      if (!value.is_string()) problem.json_fields.insert(name);
    }
  }

  /// What a path or a template makes of columns, which stay among the rest; null where it makes nothing.
  const json* derive(const std::string& name) {
    std::optional<json> value = derived_column(columns_, name, place_);
    return value ? &derived_.emplace_back(std::move(*value)) : nullptr;
  }

  /// Null where there is no such column, and where there is null.
  const json* look(const std::string& name) const {
    const auto found = columns_.find(name);
    return found == columns_.end() || found->is_null() ? nullptr : &*found;
  }

  std::string column_names() const {
    std::string names;
    for (const auto& [name, value] : columns_.items()) names += (names.empty() ? "'" : ", '") + name + "'";
    return names.empty() ? "an empty object" : names;
  }

 private:
  const json* use(const std::string& name) {
    const json* column = look(name);
    if (column != nullptr) used_.insert(name);
    return column;
  }

  const json& columns_;
  std::string_view place_;
  std::list<json> derived_;
  std::unordered_set<std::string> used_;
};

std::string read_string(const json& value, const std::string& column, std::string_view place) {
  if (!value.is_string()) fail_at(place, "expected text in '" + column + "'; got " + type_name(value));
  return value.get<std::string>();
}

/// A worked solution, or the first of a list of them.
std::string read_solution(const json& value, const std::string& column, std::string_view place) {
  if (!value.is_array()) return read_string(value, column, place);
  if (value.empty()) fail_at(place, "expected at least one text in '" + column + "'; got an empty list");
  for (const json& solution : value) read_string(solution, column, place);
  return value.front().get<std::string>();
}

/// What the conversations `chosen` and `rejected` have in common: their prompt, where they are whole conversations; an answer remains of
/// each. Empty where they are none.
json common_turns(const Row& row) {
  json common = json::array();
  const json *chosen = row.look("chosen"), *rejected = row.look("rejected");
  if (chosen == nullptr || rejected == nullptr || !chosen->is_array() || !rejected->is_array()) return common;
  const size_t most = std::min(chosen->size(), rejected->size());
  for (size_t i = 0; i + 1 < most && (*chosen)[i] == (*rejected)[i] && (*chosen)[i].contains("role"); ++i) common.push_back((*chosen)[i]);
  while (!common.empty() && common.back()["role"] == "assistant") common.erase(common.size() - 1);
  return common;
}

/// Of a row of preferences that are whole conversations, the prompt is what they have in common: where the row names no other one, where
/// its messages are the chosen conversation again, and where its question is the last of these turns.
void read_common_prompt(const Row& row, const json* messages, std::string_view place, Problem& problem) {
  const json common = common_turns(row);
  if (common.empty()) return;
  const bool repeats_chosen = messages != nullptr && *messages == *row.look("chosen");
  const bool alone = problem.messages.empty() && problem.question.empty();
  const auto turns = read_messages(common, place);
  const bool repeats_question = problem.messages.empty() && turns.back().role == "user" && turns.back().content == problem.question;
  if (repeats_chosen || alone || repeats_question) problem.messages = turns;
}

/// A list, or JSON text of one, as tables without nested columns have it.
json conversation_in(const json& column, const std::string& name, std::string_view place) {
  json list = column.is_string() ? parse_at(column.get<std::string>(), std::string(place) + " '" + name + "'", 1) : column;
  if (!list.is_array()) fail_at(place, "expected a list in '" + name + "'; got " + type_name(list));
  return list;
}

void read_prompt(Row& row, const FieldMapping& mapping, std::string_view place, Problem& problem) {
  const FieldMapping defaults;
  const json* messages = row.find(mapping.messages, defaults.messages);
  const json* question = row.find(mapping.question, defaults.question, {"problem", "prompt", "input"});
  if (messages != nullptr) problem.messages = read_messages(conversation_in(*messages, mapping.messages, place), place);
  if (question != nullptr && question->is_array() && messages == nullptr) {
    problem.messages = read_messages(*question, place);
  } else if (question != nullptr) {
    problem.question = read_string(*question, mapping.question, place);
  }
  read_common_prompt(row, messages, place, problem);
  if (is_empty_prompt(problem)) {
    const bool given = question != nullptr || messages != nullptr;
    fail_at(place, "expected a question in '" + mapping.question + "' or messages in '" + mapping.messages + "'; got " +
                       (given ? "an empty prompt" : row.column_names()));
  }
}

/// A column for the chat template: a list or an object, or JSON text of one, as tables without nested columns have it. Null where absent.
json template_column(Row& row, const std::string& name, bool is_list, std::string_view place) {
  const json* column = row.find(name, name);
  if (column == nullptr) return {};
  json value = *column;
  if (column->is_string()) {
    const auto text = column->get<std::string>();
    if (trim(text).empty()) return {};
    value = parse_at(text, std::string(place) + " '" + name + "'", 1);
  }
  const bool right = is_list ? value.is_array() : value.is_object();
  if (!right) fail_at(place, std::string("expected ") + (is_list ? "a list" : "an object") + " in '" + name + "'; got " + type_name(value));
  return value;
}

void read_template_columns(Row& row, std::string_view place, Problem& problem) {
  const json tools = template_column(row, "tools", true, place);
  for (const json& tool : tools) {
    if (!tool.is_object()) fail_at(place, std::string("expected objects in 'tools'; got ") + type_name(tool));
  }
  if (!tools.is_null()) problem.tools = to_text(tools);
  const json variables = template_column(row, "chat_template_kwargs", false, place);
  for (const auto& [name, value] : variables.items()) {
    if (is_reserved_variable(name)) fail_at(place, "expected further variables in 'chat_template_kwargs'; got '" + name + "'");
  }
  if (!variables.is_null()) problem.chat_template_kwargs = to_text(variables);
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

/// What follows the marker.
std::string final_part(const std::string& answer, const std::string& marker, std::string_view place) {
  const size_t at = answer.rfind(marker);
  if (at == std::string::npos) fail_at(place, "expected '" + marker + "' in the answer; got '" + clip_text(answer, 80) + "'");
  return std::string(trim(std::string_view(answer).substr(at + marker.size())));
}

/// Answers are what follows the marker; the whole text of the first is the solution, where the row has no other one.
void split_answers(Problem& problem, const std::string& marker, bool is_solution, std::string_view place) {
  const std::string whole = problem.answer;
  problem.answer = final_part(whole, marker, place);
  for (std::string& further : problem.further_answers) further = final_part(further, marker, place);
  if (is_solution) problem.solution = remove_calculator_marks(std::string(trim(whole)));
}

/// The answer in verl's columns; null where it is none that can be compared.
const json* verl_answer(Row& row) {
  const json* truth = row.derive("reward_model.ground_truth");
  return truth == nullptr || truth->is_object() ? nullptr : truth;
}

/// TRL's column of a given completion: text, or the assistant's turn. It stays among the rest. Empty where it is something else.
std::string trl_completion(const Row& row, std::string_view place) {
  const json* completion = row.look("completion");
  if (completion != nullptr && completion->is_string()) return completion->get<std::string>();
  if (completion == nullptr || !completion->is_array() || completion->size() != 1) return {};
  const auto turns = read_messages(*completion, place);
  return turns.front().role == "assistant" ? turns.front().content : std::string();
}

}  // namespace

Problem problem_from(const json& columns, const FieldMapping& mapping, std::string_view place) {
  const FieldMapping defaults;
  Row row(columns, place);
  Problem problem;
  read_prompt(row, mapping, place, problem);
  read_template_columns(row, place, problem);
  const json* solution = row.find(mapping.solution, defaults.solution);
  if (solution != nullptr) problem.solution = read_solution(*solution, mapping.solution, place);
  if (solution == nullptr) problem.solution = trl_completion(row, place);
  const json* answer = row.find(mapping.answer, defaults.answer, {"target", "solution"});
  if (answer == nullptr) answer = verl_answer(row);
  if (answer != nullptr) read_answers(*answer, mapping.answer, place, problem);
  const bool has_solution = !problem.solution.empty() && solution != answer;
  if (!mapping.answer_after.empty()) split_answers(problem, mapping.answer_after, !has_solution, place);
  row.move_rest_to(problem);
  return problem;
}

Problem parse_problem(std::string_view json_text, const FieldMapping& mapping, const std::string& file, int64_t line) {
  return problem_from(parse_at(json_text, file, line), mapping, at_line(file, line));
}

}  // namespace grpo
