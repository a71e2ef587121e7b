#include "policy/sample_line.h"

#include <nlohmann/json.hpp>

namespace grpo {

void add_scores(nlohmann::ordered_json& line, const std::vector<std::string>& functions, const Sample& sample) {
  for (size_t f = 0; f < functions.size(); ++f) {
    const Score& score = sample.scores[f];
    line["rewards"][functions[f]] = score.defined() ? nlohmann::ordered_json(score.value) : nlohmann::ordered_json(nullptr);
  }
  for (size_t f = 0; f < functions.size(); ++f) line["verdicts"][functions[f]] = sample.scores[f].counted_as();
}

}  // namespace grpo
