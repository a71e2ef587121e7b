#include "policy/figure_tally.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/policy/evaluation.h"
#include "grpo/reward/score.h"

namespace grpo {
namespace {

constexpr double kFullScore = 1.0 - 1e-9;  // a sample counts as correct if its function gives all of one point

}  // namespace

Figures figures_of(const Sample& sample) {
  Figures figures{
      .scores = {}, .kinds = {}, .tokens = static_cast<double>(sample.ids.size()), .clipped = sample.finish == FinishReason::kLength};
  for (const Score& score : sample.scores) {
    figures.scores.push_back(score.value);
    figures.kinds.push_back(score.counted_as());
  }
  return figures;
}

Figures figures_in_line(const std::string& text, const Problem& problem, size_t number, const std::vector<std::string>& functions) {
  const nlohmann::json line = parse_json(text);
  const auto index = line.at("problem").get<int64_t>();
  const auto sample = line.at("sample").get<size_t>();
  GRPO_CHECK(index == problem.index && sample == number, "evaluation",
             "expected sample " + std::to_string(number) + " of problem " + std::to_string(problem.index) + "; got sample " +
                 std::to_string(sample) + " of problem " + std::to_string(index));
  Figures figures{.scores = {},
                  .kinds = {},
                  .tokens = line.at("tokens").get<double>(),
                  .clipped = line.at("finish").get<std::string>() == to_string(FinishReason::kLength)};
  for (const std::string& name : functions) {
    const nlohmann::json& value = line.at("rewards").at(name);
    figures.scores.push_back(value.is_null() ? std::nan("") : value.get<double>());
    figures.kinds.push_back(line.contains("verdicts") ? line.at("verdicts").at(name).get<std::string>()
                                                      : Score(figures.scores.back()).counted_as());
  }
  return figures;
}

FigureTally::FigureTally(const std::vector<std::string>& functions)
    : functions_(functions), judge_(judging_function(functions)), scores_(functions.size()), kinds_(functions.size()) {}

void FigureTally::add(const std::vector<Figures>& group) {
  int64_t correct = 0;
  for (const Figures& sample : group) {
    for (size_t f = 0; f < scores_.size(); ++f) {
      scores_[f].add(sample.scores[f]);
      kinds_[f].add(sample.kinds[f]);
    }
    correct += sample.scores[judge_] >= kFullScore ? 1 : 0;
    length_.add(sample.tokens);
    clipped_.add(sample.clipped ? 1.0 : 0.0);
  }
  const auto k = static_cast<int64_t>(group.size());
  once_.add(pass_at_k(k, correct, 1));
  any_.add(pass_at_k(k, correct, k));
  samples_ += k;
}

std::vector<std::pair<std::string, KindCounts>> FigureTally::verdicts() const {
  std::vector<std::pair<std::string, KindCounts>> verdicts;
  for (size_t f = 0; f < functions_.size(); ++f) verdicts.emplace_back(functions_[f], kinds_[f].counts());
  return verdicts;
}

Metrics FigureTally::result(int64_t k) const {
  Metrics result;
  for (size_t f = 0; f < scores_.size(); ++f) result[functions_[f]] = scores_[f].result();
  result["pass@1"] = once_.result();
  if (k > 1) result["pass@" + std::to_string(k)] = any_.result();
  result["mean_length"] = length_.result();
  result["clipped_ratio"] = clipped_.result();
  result["samples"] = static_cast<double>(samples_);
  return result;
}

}  // namespace grpo
