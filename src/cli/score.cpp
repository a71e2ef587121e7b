#include <memory>

#include "cli/commands.h"
#include "cli/lines.h"
#include "core/json.h"

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
    const std::string text = value.is_string() ? value.get<std::string>() : to_text(value);
    if (name == "answer") {
      problem.answer = text;
    } else if (name == "question") {
      problem.question = text;
    } else if (name != "completion") {
      problem.fields[name] = text;
    }
  }
  return problem;
}

}  // namespace

void add_score(CLI::App& app, const Registry& registry) {
  auto* sub = app.add_subcommand("score", "Lines {\"completion\": …, \"answer\": …} from stdin to scores");
  auto name = std::make_shared<std::string>();
  sub->add_option("--reward", *name, "A reward function; its options follow as --option=value")->required();
  sub->allow_extras();
  sub->callback([sub, name, &registry] {
    const auto reward = registry.rewards.make(*name, named_options(sub->remaining()));
    map_lines([&](const nlohmann::json& line) -> nlohmann::ordered_json {
      const Problem problem = problem_of(line);
      Completion completion;
      completion.problem = &problem;
      completion.text = field<std::string>(line, "completion");
      Score score;
      RewardContext context;
      reward->score({&completion, 1}, {&score, 1}, context);
      nlohmann::ordered_json answer = {{"score", score.defined() ? nlohmann::ordered_json(score.value) : nlohmann::ordered_json(nullptr)},
                                       {"reason", score.reason}};
      for (const StepScore& step : score.steps) answer["steps"].push_back({{"end", step.end}, {"value", step.value}});
      return answer;
    });
  });
}

}  // namespace grpo::cli
