#include "grpo/data/dataset.h"

#include <functional>
#include <unordered_set>
#include <utility>

#include "core/file_text.h"
#include "data/row.h"
#include "data/unpack.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

/// The ending without its dot; of a packed file that no reader is for, the one before.
std::string format_of(const std::filesystem::path& file, const ReaderRegistry& readers) {
  const auto ending = [](const std::filesystem::path& name) { return name.has_extension() ? name.extension().string().substr(1) : ""; };
  const bool packed = packing_of(file) != Packing::kNone && !readers.contains(ending(file));
  return ending(packed ? file.stem() : file);
}

/// What was taken from columns that are named as other libraries name them; empty where there are none.
std::string known_columns(const Problem& first, const FieldMapping& mapping) {
  const auto has = [&first](const char* name) { return first.fields.contains(name); };
  if (has("data_source") && has("reward_model")) {
    if (mapping.answer != FieldMapping{}.answer || first.answer.empty()) return "verl's columns; rewards find them by their names";
    return "verl's columns: the answer is reward_model.ground_truth; rewards find data_source, ability and extra_info by their names";
  }
  if (has("chosen") && has("rejected")) return "TRL's columns of preferences: chosen and rejected";
  if (has("completion") && !first.solution.empty()) return "TRL's columns: completion is the solution where a row has no other one";
  return {};
}

}  // namespace

ProblemRows::ProblemRows(const FieldMapping& mapping, std::string file, int64_t max_bad_rows)
    : mapping_(mapping), file_(std::move(file)), max_bad_rows_(max_bad_rows) {}

void ProblemRows::add(std::string_view json_text, int64_t line) {
  add(line, [&](const FieldMapping& mapping, const std::string&) { return parse_problem(json_text, mapping, file_, line); });
}

void ProblemRows::add(int64_t line, const std::function<Problem(const FieldMapping&, const std::string&)>& make) {
  constexpr int64_t kNamed = 10;  // of the rows that are left out
  try {
    problems_.push_back(make(mapping_, at_line(file_, line)));
  } catch (const Error& error) {
    if (max_bad_rows_ == 0) throw;
    if (++bad_rows_ > max_bad_rows_)
      fail_at(file_, "expected at most " + std::to_string(max_bad_rows_) + " bad rows; got more, the last: " + error.what());
    if (bad_rows_ <= kNamed) log_warn("a row is left out: " + std::string(error.what()));
  }
}

std::vector<Problem> load_problems(const std::filesystem::path& path, const FieldMapping& mapping, const DatasetFormat& format,
                                   const ReaderRegistry& readers) {
  const std::string file = path.string();
  expect_exists(path, kDatasetWhere);
  const std::string name = format.name.empty() ? format_of(path, readers) : format.name;
  if (format.name.empty() && !readers.contains(name)) {
    std::string known;
    for (const auto& reader : readers.names()) known += (known.empty() ? "a ." : ", .") + reader;
    fail_at(file, "expected " + known +
                      " file, or one of these packed as .gz or .zst; got another ending (`format` names the reader of any file)");
  }
  ProblemRows rows(mapping, file, format.max_bad_rows);
  readers.make(name, format.options)->read(path, rows);
  if (rows.bad_rows() > 0) log_warn(file + ": " + std::to_string(rows.bad_rows()) + " bad rows are left out");
  std::vector<Problem> problems = rows.take_problems();
  if (problems.empty()) fail_at(file, "expected at least one problem; got an empty file");
  for (size_t i = 0; i < problems.size(); ++i) problems[i].index = static_cast<int64_t>(i);
  if (const std::string known = known_columns(problems.front(), mapping); !known.empty()) log_info(file + " has " + known);
  return problems;
}

std::string problem_key(const Problem& problem) {
  if (problem.messages.empty()) return collapse_white_space(problem.question);
  std::string key;
  for (const Message& message : problem.messages)
    key += message.role + ": " + collapse_white_space(message.content) + message.members + "\n";
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
