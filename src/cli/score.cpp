#include <cmath>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/kept_lines.h"
#include "cli/lines.h"
#include "core/json.h"
#include "core/mean.h"
#include "data/answers.h"
#include "grpo/core/interrupt.h"

namespace grpo::cli {
namespace {

/// "--key=value" to (key, JSON text): numbers, booleans and quoted strings as they stand, other words as strings.
NamedOptions named_options(const std::vector<std::string>& extras) {
  NamedOptions options;
  for (const auto& extra : extras) {
    const size_t equals = extra.find('=');
    if (extra.rfind("--", 0) != 0 || equals == std::string::npos) fail_usage("score", "expected --option=value; got '" + extra + "'");
    const std::string value = extra.substr(equals + 1);
    const bool json = is_json(value);
    options.emplace_back(extra.substr(2, equals - 2), json ? value : to_text(nlohmann::json(value)));
  }
  return options;
}

Problem problem_of(const nlohmann::json& line) {
  Problem problem;
  for (const auto& [name, value] : line.items()) {
    if (value.is_null()) continue;
    const std::string text = value.is_string() ? value.get<std::string>() : to_text(value);
    if (name == "answer") {
      read_answers(value, name, "score", problem);
    } else if (name == "question") {
      problem.question = text;
    } else if (name != "completion") {
      problem.fields[name] = text;
    }
  }
  return problem;
}

nlohmann::ordered_json judged(Reward& reward, const nlohmann::json& line) {
  const Problem problem = problem_of(line);
  Completion completion;
  completion.problem = &problem;
  completion.text = field<std::string>(line, "completion");
  Score score;
  RewardContext context;
  reward.score({&completion, 1}, {&score, 1}, context);
  nlohmann::ordered_json answer = {{"score", score.defined() ? nlohmann::ordered_json(score.value) : nlohmann::ordered_json(nullptr)},
                                   {"reason", score.reason}};
  for (const StepScore& step : score.steps) answer["steps"].push_back({{"end", step.end}, {"value", step.value}});
  return answer;
}

struct ScoreArguments {
  std::string reward, out;
  bool resume = false;
};

/// Figures of a file of scores.
struct ScoreFigures {
  int64_t lines = 0;
  Mean score;

  void add(const nlohmann::json& scored) {
    const nlohmann::json& value = scored.at("score");
    score.add(value.is_null() ? std::nan("") : value.get<double>());
    ++lines;
  }
  void add_earlier(const KeptLines& kept) {
    try {
      for (const std::string& line : kept.earlier()) add(parse_json(line));
    } catch (const nlohmann::json::exception& error) {
      fail("score", kept.file() + ":" + std::to_string(lines + 1) + ": expected a score; got something else: " + error.what());
    }
  }
};

/// Scores to a file, figures to stdout.
void score_to_file(const ScoreArguments& arguments, Reward& reward, const NamedOptions& options) {
  KeptLines kept(arguments.out, arguments.resume);
  nlohmann::ordered_json settings = {{"reward", arguments.reward}};
  for (const auto& [name, value] : options) settings["--" + name] = parse_json<nlohmann::ordered_json>(value);
  kept.begin(settings);
  ScoreFigures figures;
  figures.add_earlier(kept);
  const LinesOptions lines{.write = [&kept](const std::string& line) { kept.append(line); }, .skip = figures.lines};
  kept.open(kept.earlier().size());
  const bool whole = map_lines(
      [&](const nlohmann::json& line) {
        auto answer = judged(reward, line);
        figures.add(answer);
        return answer;
      },
      lines);
  nlohmann::ordered_json summary = {{"lines", figures.lines}, {"mean_score", figures.score.result()}};
  if (!whole) summary["partial"] = true;
  std::cout << to_text(summary) << std::endl;
  if (!whole) fail_resumable("score", std::to_string(figures.lines) + " lines", &kept);
}

}  // namespace

void add_score(CLI::App& app, const Registry& registry) {
  auto* sub =
      app.add_subcommand("score", "Lines {\"completion\": …, \"answer\": …} from stdin to scores; an answer may be a list of right ones");
  auto a = std::make_shared<ScoreArguments>();
  sub->add_option("--reward", a->reward, "A reward function; its options follow as --option=value")->required();
  sub->add_option("--out", a->out, "A new .jsonl file for the scores, written as they come, instead of stdout, which gets their mean");
  sub->add_flag("--resume", a->resume, "Go on behind the scores that are in the file of --out: as many lines of stdin are skipped");
  sub->allow_extras();
  sub->callback([sub, a, &registry] {
    const InterruptGuard guard;
    const NamedOptions options = named_options(sub->remaining());
    const auto reward = registry.rewards.make(a->reward, options);
    if (!a->out.empty()) return score_to_file(*a, *reward, options);
    if (a->resume) fail_usage("score", "expected --out, the file to go on with, beside --resume");
    int64_t lines = 0;
    const auto judge_and_count = [&](const nlohmann::json& line) { return ++lines, judged(*reward, line); };
    if (!map_lines(judge_and_count)) fail_resumable("score", std::to_string(lines) + " lines", nullptr);
  });
}

}  // namespace grpo::cli
