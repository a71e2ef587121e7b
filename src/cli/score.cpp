#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/kept_lines.h"
#include "cli/lines.h"
#include "core/file_text.h"
#include "core/json.h"
#include "core/mean.h"
#include "data/answers.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/core/nearest.h"
#include "grpo/reward/verdicts.h"

namespace grpo::cli {
namespace {

struct ScoreArguments {
  std::vector<std::string> rewards;
  std::string config, out;
  bool resume = false;
  size_t batch_size = 64;
};

/// What lines are scored by, as a config says it.
struct Scoring {
  std::vector<RewardFunction> reward;
  std::vector<double> bounds;  // lowest and highest sum; empty: none
  int64_t max_completion_length = 0;
  bool one_by_name = false;  // a single function of the command line: its reason stands beside the score
};

void describe(ConfigVisitor& v, Scoring& c) {
  v.list(
      "reward", "", c.reward.size(), [&c](size_t n) { c.reward.resize(n); },
      [&c](ConfigVisitor& s, size_t i) { describe(s, c.reward[i]); });
  v.field("reward_clip_range", c.bounds, "");
  v.field("max_completion_length", c.max_completion_length, "");
}

/// "accuracy" or "accuracy=0.5".
RewardFunction weighted_function(const std::string& text) {
  const size_t equals = text.find('=');
  RewardFunction function;
  function.name = text.substr(0, equals);
  if (equals == std::string::npos) return function;
  const std::string weight = text.substr(equals + 1);
  char* end = nullptr;
  function.weight = std::strtod(weight.c_str(), &end);
  if (weight.empty() || *end != '\0' || !std::isfinite(function.weight))
    fail_usage("--reward", "expected NAME or NAME=WEIGHT; got '" + text + "'");
  return function;
}

/// "--key=value" to (key, JSON text): numbers, booleans and quoted strings as they stand, other words as strings.
std::pair<std::string, std::string> named_option(const std::string& extra) {
  const size_t equals = extra.find('=');
  if (extra.rfind("--", 0) != 0 || equals == std::string::npos) fail_usage("score", "expected --option=value; got '" + extra + "'");
  const std::string value = extra.substr(equals + 1);
  return {extra.substr(2, equals - 2), is_json(value) ? value : to_text(nlohmann::json(value))};
}

/// Gives an option to its function: that of "--NAME.option", or the only one.
void give_option(std::vector<RewardFunction>& functions, const std::string& extra) {
  auto [key, value] = named_option(extra);
  std::vector<std::string> names;
  for (const auto& function : functions) names.push_back(function.name);
  const size_t dot = key.find('.');
  const auto found = std::ranges::find(names, key.substr(0, dot));
  if (dot != std::string::npos && found != names.end()) {
    functions[static_cast<size_t>(found - names.begin())].options.emplace_back(key.substr(dot + 1), value);
  } else if (functions.size() == 1) {
    functions.front().options.emplace_back(key, value);
  } else {
    fail_usage("score",
               "expected --NAME.option=value with several functions; got '" + extra + "'" + did_you_mean(key.substr(0, dot), names));
  }
}

Scoring scoring_by_name(const ScoreArguments& a, const std::vector<std::string>& extras) {
  Scoring scoring;
  for (const std::string& text : a.rewards) {
    scoring.reward.push_back(weighted_function(text));
    const std::string& name = scoring.reward.back().name;
    if (std::ranges::count(scoring.reward, name, &RewardFunction::name) > 1)
      fail_usage("--reward", "expected each function once; got '" + name + "' again");
  }
  for (const std::string& extra : extras) give_option(scoring.reward, extra);
  scoring.one_by_name = scoring.reward.size() == 1;
  return scoring;
}

Scoring scoring_by_config(const ScoreArguments& a, const std::vector<std::string>& overrides, const Registry& registry) {
  expect_exists(a.config, "config");
  ConfigSource source = config_source(registry);
  source.add_file(a.config);
  for (const auto& setting : overrides) source.add_override(setting);
  Config config;
  read_config(source, config);
  const std::vector<double>& weights = config.algorithm.advantage.reward_weights;
  if (config.reward.empty()) fail_usage("score", "expected reward functions in " + a.config + "; got none");
  if (!weights.empty() && weights.size() != config.reward.size())
    fail_usage("score", "expected a weight for each of " + std::to_string(config.reward.size()) +
                            " functions in algorithm.reward_weights; got " + std::to_string(weights.size()));
  for (size_t i = 0; i < weights.size(); ++i) config.reward[i].weight = weights[i];
  return {.reward = config.reward,
          .bounds = config.algorithm.advantage.reward_clip_range,
          .max_completion_length = config.rollout.sampling.max_completion_length};
}

/// A line as a reward sees it. Its members other than these are fields of the problem.
struct JudgedLine {
  Problem problem;
  Completion completion;
};

JudgedLine judged_line(const nlohmann::json& line) {
  JudgedLine judged;
  Problem& problem = judged.problem;
  judged.completion.text = field<std::string>(line, "completion");
  if (line.contains("ids")) judged.completion.ids = ids_field(line, "ids");
  for (const auto& [name, value] : line.items()) {
    if (value.is_null() || name == "completion" || name == "ids") continue;
    const std::string text = value.is_string() ? value.get<std::string>() : to_text(value);
    if (name == "answer") {
      read_answers(value, name, "score", problem);
    } else if (name == "question") {
      problem.question = text;
    } else {
      problem.fields[name] = text;
    }
  }
  return judged;
}

Row number_or_null(double value) { return std::isnan(value) ? Row(nullptr) : Row(value); }

Row score_row(const Score& score) {
  Row row = {{"score", number_or_null(score.value)}, {"reason", score.reason}, {"kind", score.counted_as()}};
  if (!score.gold.empty()) row["gold"] = score.gold;
  if (!score.given.empty()) row["given"] = score.given;
  for (const StepScore& step : score.steps) row["steps"].push_back({{"end", step.end}, {"value", step.value}});
  return row;
}

/// Scores lines as training does.
class Scorer {
 public:
  Scorer(const Scoring& scoring, const Registry& registry)
      : scoring_(scoring), rewards_(make_rewards(scoring.reward, registry.rewards)), pool_(static_cast<int64_t>(scoring.reward.size())) {}

  std::vector<Row> rows(const std::vector<InputLine>& lines) {
    std::vector<JudgedLine> judged;
    for (const InputLine& line : lines) judged.push_back(judged_line(line.value));
    std::vector<Completion> completions;
    for (JudgedLine& line : judged) {
      line.completion.problem = &line.problem;
      completions.push_back(line.completion);
    }
    RewardContext context;
    context.max_completion_length = scoring_.max_completion_length;
    std::vector<Row> rows;
    for (const Verdict& verdict : score_all(rewards_, completions, context, &pool_)) {
      rows.push_back(row(verdict));
      ++lines_;
      for (size_t f = 0; f < verdict.scores.size(); ++f)
        unreadable_[rewards_.names[f]] += verdict.scores[f].kind == kUnreadableGold ? 1 : 0;
    }
    return rows;
  }

  /// Says how many right answers could not be read. Where rows go to stdout they say so themselves.
  void warn() const {
    for (const auto& [name, count] : unreadable_) {
      if (count == 0) continue;
      log_warn("reward " + name + ": " + std::to_string(count) + " of " + std::to_string(lines_) +
               " lines have a right answer that cannot be read, and get no verdict");
    }
  }

 private:
  Row row(const Verdict& verdict) const {
    double sum = verdict.reward;
    GRPO_CHECK(!std::isinf(sum), "score", "expected a finite sum of rewards; got an infinity");
    if (!scoring_.bounds.empty() && !std::isnan(sum)) sum = std::clamp(sum, scoring_.bounds.at(0), scoring_.bounds.at(1));
    Row row = scoring_.one_by_name ? score_row(verdict.scores.front()) : Row::object();
    row["score"] = number_or_null(sum);
    for (size_t f = 0; !scoring_.one_by_name && f < verdict.scores.size(); ++f)
      row["rewards"][rewards_.names[f]] = score_row(verdict.scores[f]);
    return row;
  }

  const Scoring& scoring_;
  RewardSet rewards_;
  ThreadPool pool_;
  int64_t lines_ = 0;                          // scored
  std::map<std::string, int64_t> unreadable_;  // by function
};

/// Figures of the rows of scores.
struct ScoreFigures {
  int64_t lines = 0, errors = 0;
  Mean score;
  std::map<std::string, KindTally> kinds;  // by function; one alone has no name

  template <class Json>
  void add(const Json& row) {
    if (row.contains("error")) {
      ++errors;
    } else {
      const Json& value = row.at("score");
      score.add(value.is_null() ? std::nan("") : value.template get<double>());
      add_kinds(row);
    }
    ++lines;
  }
  template <class Json>
  void add_kinds(const Json& row) {
    const auto add_kind = [this](const std::string& name, const Json& one) {
      if (one.contains("kind")) kinds[name].add(one.at("kind").template get<std::string>());
    };
    add_kind("", row);
    if (!row.contains("rewards")) return;
    for (const auto& [name, one] : row.at("rewards").items()) add_kind(name, one);
  }
  void add_earlier(const KeptLines& kept) {
    try {
      for (const std::string& line : kept.earlier()) add(parse_json(line));
    } catch (const nlohmann::json::exception& error) {
      fail("score", kept.file() + ":" + std::to_string(lines + 1) + ": expected a score; got something else: " + error.what());
    }
  }
  Row summary() const {
    Row row = {{"lines", lines}, {"mean_score", score.result()}};
    if (errors > 0) row["errors"] = errors;
    for (const auto& [name, tally] : kinds) {
      Row& verdicts = name.empty() ? row["verdicts"] : row["verdicts"][name];
      for (const auto& [kind, count] : tally.counts()) verdicts[kind] = count;
    }
    return row;
  }
};

using AnswerLines = std::function<std::vector<Row>(const std::vector<InputLine>&)>;

/// Scores to a file, figures to stdout.
void score_to_file(const ScoreArguments& arguments, const Scoring& scoring, const AnswerLines& answer) {
  KeptLines kept(arguments.out, arguments.resume);
  Row settings = Row::object();
  for (const auto& [name, value] : option_values(scoring)) settings[name] = parse_json<Row>(value);
  kept.begin(settings);
  ScoreFigures figures;
  figures.add_earlier(kept);
  const auto write = [&](const Row& row) {
    kept.append(to_printable_text(row));
    figures.add(row);
  };
  const LinesOptions lines{.write = write, .skip = figures.lines, .batch_size = arguments.batch_size};
  kept.open(kept.earlier().size());
  const bool whole = map_batches(answer, lines).whole;
  Row summary = figures.summary();
  if (!whole) summary["partial"] = true;
  std::cout << to_text(summary) << std::endl;
  if (!whole) fail_resumable("score", std::to_string(figures.lines) + " lines", &kept);
}

void score_lines(const ScoreArguments& a, const std::vector<std::string>& extras, const Registry& registry) {
  if (a.rewards.empty() == a.config.empty()) fail_usage("score", "expected --reward or --config, and not both");
  if (a.resume && a.out.empty()) fail_usage("score", "expected --out, the file to go on with, beside --resume");
  const Scoring scoring = a.config.empty() ? scoring_by_name(a, extras) : scoring_by_config(a, extras, registry);
  Scorer scorer(scoring, registry);
  const AnswerLines answer = [&scorer](const std::vector<InputLine>& lines) { return scorer.rows(lines); };
  if (!a.out.empty()) {
    score_to_file(a, scoring, answer);
    return scorer.warn();
  }
  const LineCounts counts = map_batches(answer, {.write = {}, .skip = 0, .batch_size = a.batch_size});
  if (!counts.whole) fail_resumable("score", std::to_string(counts.rows) + " lines", nullptr);
}

}  // namespace

void add_score(CLI::App& app, const Registry& registry) {
  auto* sub = app.add_subcommand("score", "Lines {\"completion\": …, \"answer\": …} from stdin to scores, one row each, as they come");
  auto a = std::make_shared<ScoreArguments>();
  sub->add_option(
         "--reward", a->rewards,
         "Reward functions with their weights in the sum: accuracy, or accuracy=1,format=0.2; options follow as --option=value, or "
         "--NAME.option=value where there are several")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("NAME[=WEIGHT]");
  sub->add_option(
         "--config", a->config,
         "Or the rewards of a run's config with their options, weights, timeouts and on_error; overrides follow as --section.key=value")
      ->type_name("PATH");
  sub->add_option("--batch-size", a->batch_size, "Lines scored together at most, of those that are waiting")->check(CLI::PositiveNumber);
  sub->add_option(
         "--out", a->out,
         "A new .jsonl file for the scores, written as they come, instead of stdout, which gets their mean and how often each kind "
         "of verdict was given")
      ->type_name("PATH");
  sub->add_flag("--resume", a->resume, "Go on behind the scores that are in the file of --out: as many lines of stdin are skipped");
  sub->footer(
      "A line may have a list of right answers, the completion's token ids, for rewards that count them, and fields\n"
      "that a reward reads. Its row has its id, the weighted sum as score (null: no verdict), and the reason, or with\n"
      "several functions rewards by name; with the reason stand its kind and the right and the given answer as they were\n"
      "read. A line that cannot be scored gets {\"error\": …, \"line\": …}.\n"
      "Exit status: 0 every line got its row, 1 failure, 2 bad command line, 75 stopped by a signal: continue with --resume");
  sub->allow_extras();
  sub->callback([sub, a, &registry] {
    const InterruptGuard guard;
    score_lines(*a, sub->remaining(), registry);
  });
}

}  // namespace grpo::cli
