#include "grpo/data/source.h"

#include <algorithm>

#include "core/faults.h"
#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& v, DataSource& c) {
  v.path("path", c.path,
         "A .jsonl, .csv or .tsv file, a .json file with an array, each also as .gz or .zst, or what a reader of your own reads.");
  v.part("format", c.format.name, "reader", "What reads the file: json, jsonl, csv, tsv or one of your own; empty = by the file's ending.");
  v.options("format_options", c.format.options, "The options of that reader; csv and tsv: delimiter.");
  v.field("max_bad_rows", c.format.max_bad_rows, "Rows of a file that may be left out, with a warning, because they are no problems.",
          kNonNegative);
  v.section("fields", "Which column is what: a name, a dotted path (reward_model.ground_truth) or a text with columns in braces.",
            [&c](ConfigVisitor& f) {
              f.field("question", c.fields.question, "Column of the question.");
              f.field("answer", c.fields.answer, "Column of the reference answer, or of a list of answers, each of which is right.");
              f.field("messages", c.fields.messages, "Column of a conversation, instead of the question.");
              f.field("solution", c.fields.solution, "Column of a worked solution.");
              f.field("answer_after", c.fields.answer_after,
                      "The answer is what follows this text in its column (GSM8K: ####), and the whole text the solution.");
            });
  v.part("task", c.task, "task", "Instead of a path: a generated task (countdown, chained_arithmetic).");
  v.options("options", c.options, "Options of the task.");
  v.field("split", c.split, "Of a generated task: train or test; the two never share a problem.");
  v.field("count", c.count, "Problems to generate, or the first so many of a file; 0 = all of a file.", kNonNegative);
  auto seed = static_cast<int64_t>(c.seed);
  v.field("seed", seed, "Seed of a generated task.", kNonNegative);
  c.seed = static_cast<uint64_t>(seed);
}

void describe(ConfigVisitor& v, DataSection& c) {
  v.section("train", "Problems to train on.", [&c](ConfigVisitor& s) { describe(s, c.train); });
  v.field("prompt_template", c.prompt.prompt_template, "r1_zero, plain, chat (the tokenizer's template), or a text with {question}.");
  v.field("system_prompt", c.prompt.system_prompt, "First message of a chat that brings none.");
  v.options("chat_template_kwargs", c.prompt.chat_template_kwargs,
            "Further variables of the chat template, such as enable_thinking; a row's column of this name comes before them.");
  v.enumeration("overlong_prompts", c.overlong_prompts, {"error", "drop"},
                "What becomes of a problem whose prompt (in supervised training and from preferences: with its completion) is too long for "
                "the model: the run ends before its first step, or the problem is left out.");
  v.field("shuffle_dataset", c.shuffle_dataset, "A new order each epoch.");
  v.field("demonstrations", c.demonstrations, "Supervised training on generated demonstrations of chained_arithmetic.");
  v.section("mix", "Shares of the demonstrations' kinds.", [&c](ConfigVisitor& m) {
    m.field("careful", c.mix.careful, "Every step, right and well formed.", kNonNegative);
    m.field("guess", c.mix.guess, "Little thought, an answer that is near.", kNonNegative);
    m.field("slip", c.mix.slip, "Every step, one of them wrong.", kNonNegative);
    m.field("unformatted", c.mix.unformatted, "Every step, tags missing.", kNonNegative);
  });
}

void validate(const DataSource& s, const std::string& name) {
  Faults faults;
  faults.need(s.path.empty() || s.task.empty(), name + ": expected a path or a task, not both");
  faults.need(!s.path.empty() || (s.format.name.empty() && s.format.options.empty()),
              name + ".format: expected a path; without, it has no effect");
  faults.need(!s.path.empty() || s.format.max_bad_rows == 0, name + ".max_bad_rows: expected a path; without, it has no effect");
  faults.need(s.task.empty() || s.count > 0, name + ".count: expected how many problems to generate");
  faults.need(s.split == "train" || s.split == "test", name + ".split: expected train or test; got '" + s.split + "'");
  faults.raise_lines();
}

bool has_source(const DataSource& source) { return !source.path.empty() || !source.task.empty(); }

std::vector<Problem> load_source(const DataSource& source, const TaskRegistry& tasks, const ReaderRegistry& readers) {
  if (!has_source(source)) fail_usage("data", "expected a path or a task");
  if (!source.task.empty()) {
    const auto task = tasks.make(source.task, source.options);
    return generate_problems(*task, source.split == "test" ? Split::kTest : Split::kTrain, source.count, source.seed);
  }
  auto problems = load_problems(source.path, source.fields, source.format, readers);
  if (source.count > 0) problems.resize(std::min(problems.size(), static_cast<size_t>(source.count)));
  return problems;
}

}  // namespace grpo
