// Extraction and comparison of answers on files of cases: lines with `gold`, `prediction` and `expected` (true, false, or null where
// conventions differ). One line of JSON for each file; --all prints every case that came out otherwise.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/math/verify.h"
#include "grpo/reward/answer.h"
#include "support/measure.h"

namespace {

struct Arguments {
  std::vector<std::string> files;
  int repetitions = 20;
  bool all = false;
};

struct Case {
  std::string gold, prediction;
  nlohmann::json expected;
};

std::vector<Case> read_cases(const std::string& file) {
  std::ifstream in(file);
  GRPO_CHECK(in.good(), "verifier", "cannot read " + file);
  std::vector<Case> cases;
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line);
    cases.push_back({row["gold"], row["prediction"], row["expected"]});
  }
  return cases;
}

/// From the completion to the verdict, both answers read anew, as in `accuracy` for evaluation.
grpo::MathVerdict judge(const Case& one) {
  const auto given = grpo::extract_answer(one.prediction, grpo::Extraction::kLenient);
  if (!given) return {grpo::Agreement::kUnreadable, "no answer", 0};
  return grpo::compare(grpo::MathAnswer(one.gold), grpo::MathAnswer(*given));
}

void run(const std::string& file, const Arguments& arguments) {
  const std::vector<Case> cases = read_cases(file);
  int64_t judged = 0, agreed = 0, accepted = 0, rejected = 0, most_steps = 0;
  double slowest = 0.0;
  for (const Case& one : cases) {
    const grpo::bench::Stopwatch watch;
    const grpo::MathVerdict verdict = judge(one);
    slowest = std::max(slowest, watch.wall());
    most_steps = std::max(most_steps, verdict.steps);
    if (one.expected.is_null()) continue;
    const bool equal = verdict.agreement == grpo::Agreement::kEqual, wanted = one.expected.get<bool>();
    ++judged;
    agreed += equal == wanted ? 1 : 0;
    accepted += equal && !wanted ? 1 : 0;
    rejected += !equal && wanted ? 1 : 0;
    if (arguments.all && equal != wanted)
      std::cout
          << nlohmann::json{{"gold", one.gold}, {"prediction", one.prediction}, {"expected", wanted}, {"reason", verdict.reason}}.dump()
          << "\n";
  }
  double best = 1e300;
  for (int i = 0; i < arguments.repetitions; ++i) {
    const grpo::bench::Stopwatch watch;
    for (const Case& one : cases) judge(one);
    best = std::min(best, watch.wall());
  }
  grpo::bench::print({{"work", "verifier"},
                      {"file", file.substr(file.rfind('/') + 1)},
                      {"pairs", cases.size()},
                      {"pairs_per_second", static_cast<double>(cases.size()) / best},
                      {"slowest_ms", 1e3 * slowest},
                      {"most_steps", most_steps},
                      {"judged", judged},
                      {"agreed", agreed},
                      {"false_accepts", accepted},
                      {"false_rejects", rejected}});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Extraction and comparison of answers");
  Arguments arguments;
  app.add_option("files", arguments.files, "JSONL files of cases")->required();
  app.add_option("--repetitions", arguments.repetitions, "times that a file is judged; the fastest counts");
  app.add_flag("--all", arguments.all, "print the cases that came out otherwise than expected");
  CLI11_PARSE(app, argc, argv);
  try {
    for (const std::string& file : arguments.files) run(file, arguments);
  } catch (const grpo::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
