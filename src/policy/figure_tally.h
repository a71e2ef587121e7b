#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/mean.h"
#include "grpo/core/metrics.h"
#include "grpo/data/types.h"
#include "grpo/policy/experience.h"
#include "grpo/reward/verdicts.h"

namespace grpo {

/// What counts of a sample.
struct Figures {
  std::vector<double> scores;      // by function; NaN: no verdict
  std::vector<std::string> kinds;  // of those verdicts
  double tokens = 0.0;
  bool clipped = false;
};
Figures figures_of(const Sample& sample);
/// What the line of a sample says (see `EvaluationOptions::on_sample`), which is that of sample `number` of a problem. Throws if it is not,
/// and an exception of nlohmann's if it is no such line.
Figures figures_in_line(const std::string& text, const Problem& problem, size_t number, const std::vector<std::string>& functions);

/// Means over samples and over problems.
class FigureTally {
 public:
  explicit FigureTally(const std::vector<std::string>& functions);
  /// The samples of a problem.
  void add(const std::vector<Figures>& group);
  /// Of problems with `k` samples each.
  Metrics result(int64_t k) const;
  /// By function.
  std::vector<std::pair<std::string, KindCounts>> verdicts() const;

 private:
  std::vector<std::string> functions_;
  size_t judge_;
  std::vector<Mean> scores_;
  std::vector<KindTally> kinds_;
  Mean once_, any_, length_, clipped_;
  int64_t samples_ = 0;
};

}  // namespace grpo
