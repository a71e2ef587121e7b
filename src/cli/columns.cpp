#include "cli/columns.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <span>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "grpo/data/strings.h"
#include "io/config_text.h"

namespace grpo::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLookedAt = 1000;      // rows
constexpr size_t kFinalAnswer = 80;     // bytes; a longer text is a worked solution
constexpr double kMostSolutions = 0.1;  // share of answers that may be longer
constexpr const char* kMessages = "messages";
constexpr std::array kPromptNames = {kMessages, "question", "problem", "prompt", "query", "instruction", "conversation", "input", "text"};
constexpr std::array kAnswerNames = {"answer", "final_answer", "ground_truth", "expected_answer", "gold_answer", "gold",
                                     "target", "label",        "solution",     "output",          "response",    "completion"};

struct NumberedRow {
  int64_t number = 0;  // line of a .jsonl, else place in the array, from 1
  Json columns;
};

std::string in_small_letters(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

void add_row(const std::filesystem::path& path, int64_t number, Json columns, std::vector<NumberedRow>& rows) {
  const std::string place = path.string() + ":" + std::to_string(number);
  if (!columns.is_object())
    fail_usage("init", place + ": expected an object of columns; got " + (columns.is_discarded() ? "no JSON" : columns.type_name()));
  rows.push_back({number, std::move(columns)});
}

std::vector<NumberedRow> first_rows(const std::filesystem::path& path) {
  expect_exists(path, "init");
  const bool array = path.extension() == ".json";
  if (!array && path.extension() != ".jsonl")
    fail_usage("init", "expected a .jsonl file, or a .json file with an array; got " + path.string());
  const std::string text = file_text(path, "init");
  std::vector<NumberedRow> rows;
  if (array) {
    const Json all = try_parse_json<Json>(text);
    if (!all.is_array()) fail_usage("init", "expected an array of objects in " + path.string() + "; got something else");
    for (const Json& row : all) {
      if (rows.size() < kLookedAt) add_row(path, static_cast<int64_t>(rows.size()) + 1, row, rows);
    }
  }
  int64_t number = 1;
  for (size_t begin = 0; !array && begin < text.size() && rows.size() < kLookedAt; ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (!trim(line).empty()) add_row(path, number, try_parse_json<Json>(line), rows);
    begin = end + 1;
  }
  if (rows.empty()) fail_usage("init", "expected rows in " + path.string() + "; got an empty file");
  return rows;
}

/// Text, numbers, or lists of them.
bool is_answer(const Json& value) {
  if (value.is_string()) return !trim(value.get_ref<const std::string&>()).empty();
  if (value.is_array())
    return !value.empty() && std::ranges::all_of(value, [](const Json& one) { return !one.is_array() && is_answer(one); });
  return value.is_number() || is_big_integer(value);
}

bool is_conversation(const Json& value) { return value.is_array() && !value.empty() && value.front().is_object(); }

bool is_prompt(const Json& value) { return is_conversation(value) || (value.is_string() && is_answer(value)); }

/// The first rows as a table.
class Table {
 public:
  explicit Table(const std::filesystem::path& path) : file_(path.string()), rows_(first_rows(path)) {
    for (const NumberedRow& row : rows_) {
      for (const auto& [name, value] : row.columns.items()) {
        if (std::ranges::find(names_, name) == names_.end()) names_.push_back(name);
      }
    }
  }

  const std::vector<NumberedRow>& rows() const { return rows_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& file() const { return file_; }

  std::string listed() const { return quoted_list(names_, "'"); }
  /// The rows that have no fitting value there.
  std::vector<int64_t> lacking(const std::string& name, bool (*fits)(const Json&)) const {
    std::vector<int64_t> numbers;
    for (const NumberedRow& row : rows_) {
      const auto found = row.columns.find(name);
      if (found == row.columns.end() || !fits(*found)) numbers.push_back(row.number);
    }
    return numbers;
  }

 private:
  std::string file_;
  std::vector<NumberedRow> rows_;
  std::vector<std::string> names_;
};

/// What is looked for.
struct Wanted {
  const char* what;    // for messages
  const char* option;  // that names its column
  std::span<const char* const> names;
  bool (*fits)(const Json&);
};

/// An object that holds what is looked for, such as reward_model.ground_truth.
std::string nested_hint(const Table& table, const Wanted& wanted) {
  for (const auto& [name, value] : table.rows().front().columns.items()) {
    if (!value.is_object()) continue;
    for (const char* inner : wanted.names) {
      if (value.contains(inner)) {
        return ". The column '" + name + "' holds '" + inner + "': make it a column of its own, for example jq -c '." + wanted.what +
               " = ." + name + "." + inner + "' " + table.file() + " > flat.jsonl";
      }
    }
  }
  return {};
}

/// Columns of the usual names that some row has something fitting in, the most usual first.
std::vector<std::string> usual_columns(const Table& table, const Wanted& wanted) {
  std::vector<std::string> found;
  for (const char* usual : wanted.names) {
    for (const std::string& name : table.names()) {
      if (in_small_letters(name) == usual && table.lacking(name, wanted.fits).size() < table.rows().size()) found.push_back(name);
    }
  }
  return found;
}

/// The column that is used; the others of the usual names go to the notes.
std::string chosen_column(const Table& table, const Wanted& wanted, const std::string& given, const std::string& taken,
                          RecognisedColumns& result) {
  std::vector<std::string> found = given.empty() ? usual_columns(table, wanted) : std::vector<std::string>{given};
  std::erase(found, taken);
  if (!given.empty() && std::ranges::find(table.names(), given) == table.names().end())
    fail_usage("init", std::string("expected a column for ") + wanted.option + "; got '" + given + "'" +
                           did_you_mean(given, table.names()) + "; there are " + table.listed());
  if (found.empty())
    fail_usage("init", std::string("expected a column with the ") + wanted.what + " (" + wanted.names[0] + ", " + wanted.names[1] + ", " +
                           wanted.names[2] + ", …); got " + table.listed() + ": name it with " + wanted.option + " COLUMN" +
                           nested_hint(table, wanted));
  const auto whole = std::ranges::find_if(found, [&](const std::string& name) { return table.lacking(name, wanted.fits).empty(); });
  std::string column = whole == found.end() ? found.front() : *whole;
  const auto lacking = table.lacking(column, wanted.fits);
  if (!lacking.empty())
    fail_usage("init", std::string("expected the ") + wanted.what + " in column '" + column +
                           "' of every row; got none that can be used in " + std::to_string(lacking.size()) + " of the first " +
                           std::to_string(table.rows().size()) + ", the first at " + table.file() + ":" + std::to_string(lacking.front()) +
                           ": mend or remove these rows, or name another column with " + wanted.option);
  for (const std::string& other : found) {
    if (other != column && in_small_letters(other) != "solution")  // that is the working
      result.notes.push_back("'" + other + "' could hold the " + wanted.what + " too; '" + column + "' is used, " + wanted.option + " " +
                             other + " takes the other");
  }
  return column;
}

/// The first text of a value.
std::string text_in(const Json& value) {
  const Json& one = value.is_array() ? value.front() : value;
  return one.is_string() ? one.get<std::string>() : to_text(one);
}

void recognise_answers(const Table& table, RecognisedColumns& result) {
  size_t hashes = 0, boxes = 0, solutions = 0;
  int64_t first_solution = 0;
  for (const NumberedRow& row : table.rows()) {
    const std::string text = text_in(row.columns[result.answer]);
    const bool boxed = text.find("\\boxed") != std::string::npos, hashed = text.find("####") != std::string::npos;
    hashes += hashed ? 1 : 0;
    boxes += boxed ? 1 : 0;
    if (boxed || hashed || (text.size() <= kFinalAnswer && text.find('\n') == std::string::npos)) continue;
    if (solutions++ == 0) first_solution = row.number;
  }
  const size_t rows = table.rows().size();
  if (static_cast<double>(solutions) > kMostSolutions * static_cast<double>(rows))
    fail_usage("init", "expected final answers in column '" + result.answer + "', of at most " + std::to_string(kFinalAnswer) +
                           " characters, in \\boxed{…} or after ####; got longer texts in " + std::to_string(solutions) + " of " +
                           std::to_string(rows) + " rows, the first at " + table.file() + ":" + std::to_string(first_solution) +
                           ": they cannot be compared; name a column of final answers with --answer");
  if (solutions > 0)
    result.notes.push_back(std::to_string(solutions) + " of " + std::to_string(rows) +
                           " answers are long texts that nobody will write again, the first at " + table.file() + ":" +
                           std::to_string(first_solution));
  result.answer_form = "as it stands";
  if (hashes == rows) {
    result.mapping.answer_after = "####";
    result.answer_form = "what follows its last ####";
  } else if (boxes + hashes > 0) {
    result.answer_form = boxes > 0 ? "the content of its last \\boxed{…}, else all of it" : "what follows its last ####, else all of it";
    if (boxes + hashes < rows)
      result.notes.push_back(std::to_string(rows - std::max(boxes, hashes)) + " of " + std::to_string(rows) +
                             " answers are not marked: they are taken whole");
  }
}

void refuse_given_answers(const Table& table, const RecognisedColumns& result) {
  for (const NumberedRow& row : table.rows()) {
    const Json& last = row.columns[result.prompt].back();
    if (!last.is_object() || last.value("role", Json()) != "assistant") continue;
    fail_usage("init", "expected conversations that end with the user's question; got one that the assistant has answered at " +
                           table.file() + ":" + std::to_string(row.number) +
                           ": it would be asked to go on behind the answer. Remove the last message (jq -c '." + result.prompt +
                           " |= .[:-1]'), or learn from such rows with grpo sft");
  }
}

}  // namespace

RecognisedColumns recognise_columns(const std::filesystem::path& path, const std::string& prompt, const std::string& answer) {
  const Table table(path);
  RecognisedColumns result;
  result.prompt = chosen_column(table, {"question", "--question", kPromptNames, is_prompt}, prompt, answer, result);
  const auto is_list = [&](const NumberedRow& row) { return is_conversation(row.columns[result.prompt]); };
  result.conversational = is_list(table.rows().front());
  const auto other = std::ranges::find_if(table.rows(), [&](const NumberedRow& row) { return is_list(row) != result.conversational; });
  if (other != table.rows().end())
    fail_usage("init", "expected texts or conversations in column '" + result.prompt + "'; got both, the first other one at " +
                           table.file() + ":" + std::to_string(other->number));
  if (result.conversational) refuse_given_answers(table, result);
  result.answer = chosen_column(table, {"answer", "--answer", kAnswerNames, is_answer}, answer, result.prompt, result);
  if (result.prompt != kMessages && std::ranges::find(table.names(), kMessages) != table.names().end())
    fail_usage("init", "expected no column 'messages' beside '" + result.prompt +
                           "'; got one, and it would be asked instead: remove it, or name it");
  const bool own_name = result.conversational && result.prompt != "prompt";  // a conversation is also found in the question's column
  (own_name ? result.mapping.messages : result.mapping.question) = result.prompt;
  result.mapping.answer = result.answer;
  recognise_answers(table, result);
  for (const std::string& name : table.names()) {
    if (name != result.prompt && name != result.answer) result.left_out.push_back(name);
  }
  if (in_small_letters(result.prompt) == "instruction" && std::ranges::find(table.names(), "input") != table.names().end())
    result.notes.emplace_back("'input' is not part of the prompt: join it to 'instruction' where it belongs to the question");
  return result;
}

}  // namespace grpo::cli
