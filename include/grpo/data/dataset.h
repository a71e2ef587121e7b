#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/factory_table.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// Which column of a row becomes which part of a `Problem`.
///
/// If a name is left at its default and the column is absent, these are tried in order: for `question` problem, prompt, input; for
/// `answer` target, solution. A column of messages is also found under prompt. A name that was changed must be there in every row.
///
/// A name may also be a dotted path into nested columns ("reward_model.ground_truth"), or a text with columns in braces
/// ("{question}\n{hint}", where {{ and }} are braces) that are text or numbers. Such columns stay in `Problem::fields`.
///
/// verl's rows (data_source, prompt, ability, reward_model, extra_info) and TRL's (prompt, and completion, solution, or chosen and
/// rejected) need no names: an answer is also found at reward_model.ground_truth, and a solution in completion.
struct FieldMapping {
  std::string question = "question";
  std::string answer = "answer";
  std::string messages = "messages";  // a list of {"role": …, "content": …, …}; used instead of the question
  std::string solution = "solution";
  /// If given (GSM8K: "####"), the answer is the trimmed text after its last occurrence in the answer column. The whole text, the answer
  /// included, is then the solution, without calculator marks such as <<48/2=24>>, if the row has no other one.
  std::string answer_after = {};
};

/// Takes the rows of one file and makes problems of them.
///
/// A row that is no problem is left out with a warning that names file:line, up to `max_bad_rows` of them; the next one throws.
class ProblemRows {
 public:
  ProblemRows(const FieldMapping& mapping, std::string file, int64_t max_bad_rows = 0);

  /// An object of columns as JSON, which begins on line `line`.
  void add(std::string_view json_text, int64_t line);
  /// What `make` gives; `place` is file:line for messages. The row is a bad one if it throws `Error`.
  void add(int64_t line, const std::function<Problem(const FieldMapping& mapping, const std::string& place)>& make);

  const std::string& file() const { return file_; }
  int64_t bad_rows() const { return bad_rows_; }
  const std::vector<Problem>& problems() const { return problems_; }
  std::vector<Problem> take_problems() { return std::move(problems_); }

 private:
  FieldMapping mapping_;
  std::string file_;
  int64_t max_bad_rows_;
  int64_t bad_rows_ = 0;
  std::vector<Problem> problems_;
};

/// Reads the files of one format. Subclass it and register it under the ending of such files: `registry.add_reader<Ssv>("ssv")` reads
/// data.train.path "problems.ssv", and with data.train.format "ssv" a file of any name; "problems.ssv.gz" too, where it reads by
/// `dataset_text`.
class DatasetReader {
 public:
  virtual ~DatasetReader() = default;
  /// Adds the rows in the order of the file. The caller sets `Problem::index`.
  virtual void read(const std::filesystem::path& file, ProblemRows& rows) const = 0;
};

/// The text of a dataset's file, unpacked where the file ends in .gz (gzip) or .zst (zstd). Throws `Error` naming the file, and the line
/// that was reached, where it is cut off, damaged, or more than 64 MiB and 1,000 times the file's size.
std::string dataset_text(const std::filesystem::path& file);

/// Dataset readers by the ending of their files.
using ReaderRegistry = FactoryTable<DatasetReader>;
/// jsonl: one object a line, blank lines skipped; json: an array of objects; csv and tsv: tables of RFC 4180 whose first line names the
/// columns, with the option `delimiter`. All of their values are text, and null where a field is empty without quotes.
ReaderRegistry builtin_readers();

/// How a file is read.
struct DatasetFormat {
  std::string name = {};      // of a reader; empty: the file's ending
  NamedOptions options = {};  // of that reader
  int64_t max_bad_rows = 0;   // that are left out, see `ProblemRows`
};

/// Reads a file by its format.
///
/// Numbers are accepted as answers: integers as they are, floats printed shortest (27.0 gives "27.0"). A list of answers says that each of
/// them is right; of a list of solutions the first is kept. The columns `tools` and `chat_template_kwargs` (or JSON text of them) are for
/// the chat template. A row of preferences needs no prompt of its own if `chosen` and `rejected` are whole conversations: it is what they
/// have in common. Columns without a part in `Problem` go to `fields`. `Problem::index` is the number of the row among those that are not
/// left out. Throws `Error` naming file:line on anything else, on invalid UTF-8 and on an empty file.
std::vector<Problem> load_problems(const std::filesystem::path& path, const FieldMapping& mapping = {}, const DatasetFormat& format = {},
                                   const ReaderRegistry& readers = builtin_readers());

/// One row; `file` and `line` are for messages.
Problem parse_problem(std::string_view json_text, const FieldMapping& mapping, const std::string& file, int64_t line);

/// What makes two problems the same: the question, or the messages with their roles, with every run of white space as one space.
std::string problem_key(const Problem& problem);

/// Throws, saying how many and naming the first, if a problem of `eval` is also in `train`.
void check_disjoint(std::span<const Problem> train, std::span<const Problem> eval);

}  // namespace grpo
