#include "trainer/rollout_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/json.h"
#include "policy/sample_line.h"

namespace grpo {

Metrics length_metrics(const Experience& experience) {
  Metrics metrics;
  std::vector<double> all, terminated;
  for (const Group& group : experience) {
    for (const Sample& sample : group.samples) {
      all.push_back(static_cast<double>(sample.ids.size()));
      if (sample.finish != FinishReason::kLength) terminated.push_back(all.back());
    }
  }
  const auto figures = [&metrics](const std::string& name, const std::vector<double>& lengths) {
    if (lengths.empty()) return;
    metrics["completions/mean_" + name] = std::accumulate(lengths.begin(), lengths.end(), 0.0) / static_cast<double>(lengths.size());
    metrics["completions/min_" + name] = *std::ranges::min_element(lengths);
    metrics["completions/max_" + name] = *std::ranges::max_element(lengths);
  };
  figures("length", all);
  figures("terminated_length", terminated);
  metrics["completions/clipped_ratio"] = 1.0 - static_cast<double>(terminated.size()) / static_cast<double>(all.size());
  return metrics;
}

Tallies staleness(const Batch& share, int64_t step) {
  Tally mean, max{.kind = Tally::Kind::kMax};
  for (const int64_t born : share.born_at_step) {
    const auto age = static_cast<double>(step - born);
    mean.merge({.value = age, .count = 1.0});
    max.merge({.kind = Tally::Kind::kMax, .value = age, .count = 1.0});
  }
  return {{"rollout/staleness_mean", mean}, {"rollout/staleness_max", max}};
}

std::vector<std::string> completion_lines(const Experience& experience, const std::vector<std::string>& functions, int64_t step,
                                          int64_t count) {
  std::vector<std::pair<const Group*, const Sample*>> all;
  for (const Group& group : experience) {
    for (const Sample& sample : group.samples) all.emplace_back(&group, &sample);
  }
  std::vector<std::string> lines;
  const size_t lines_at_most = std::min(static_cast<size_t>(count), all.size());
  for (size_t i = 0; i < lines_at_most; ++i) {
    const auto& [group, sample] = all[i * all.size() / lines_at_most];
    nlohmann::ordered_json line = {
        {"step", step}, {"prompt", group->prompt}, {"completion", sample->text}, {"finish", to_string(sample->finish)}};
    add_scores(line, functions, *sample);
    lines.push_back(to_printable_text(line));
  }
  return lines;
}

}  // namespace grpo
