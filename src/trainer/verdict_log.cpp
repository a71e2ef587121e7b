#include "trainer/verdict_log.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/log.h"

namespace grpo {

void VerdictLog::look_at(const std::string& data, const RewardSet& rewards, const std::vector<Problem>& problems, bool says_so) {
  for (UnreadableGolds& golds : unreadable_golds(rewards, problems)) {
    if (says_so) log_warn("data." + data + ": " + to_string(golds));
    unreadable_.emplace_back(data, std::move(golds));
  }
}

void VerdictLog::add(const Experience& groups, int64_t step, std::vector<KindTally>& kinds) {
  kinds.resize(functions_.size());
  for (const Group& group : groups) {
    for (const Sample& sample : group.samples) {
      for (size_t f = 0; f < sample.scores.size(); ++f) {
        kinds[f].add(sample.scores[f]);
        misses_.add(functions_[f], sample.scores[f], *group.problem, step);
      }
    }
  }
}

Metrics VerdictLog::figures(const std::vector<KindTally>& kinds) const {
  Metrics figures;
  for (size_t f = 0; f < kinds.size(); ++f) {
    for (const auto& [kind, count] : kinds[f].counts())
      figures["rewards/" + functions_[f] + "/verdicts/" + kind] = static_cast<double>(count);
  }
  return figures;
}

std::string VerdictLog::text() const {
  nlohmann::ordered_json unreadable = nlohmann::ordered_json::array(), misses = nlohmann::ordered_json::array();
  for (const auto& [data, golds] : unreadable_) {
    nlohmann::ordered_json examples = nlohmann::ordered_json::array();
    for (const auto& example : golds.examples)
      examples.push_back({{"problem", example.problem}, {"gold", example.gold}, {"reason", example.reason}});
    unreadable.push_back({{"data", data},
                          {"function", golds.function},
                          {"problems", golds.problems},
                          {"unreadable", golds.unreadable},
                          {"examples", examples}});
  }
  for (const NearMiss& miss : misses_.nearest()) {
    misses.push_back({{"function", miss.function},
                      {"gold", miss.gold},
                      {"given", miss.given},
                      {"reason", miss.reason},
                      {"nearness", miss.nearness},
                      {"problem", miss.problem},
                      {"count", miss.count},
                      {"first_step", miss.first_step},
                      {"last_step", miss.last_step}});
  }
  return to_printable_text(nlohmann::ordered_json{{"unreadable_golds", unreadable}, {"near_misses", misses}});
}

}  // namespace grpo
