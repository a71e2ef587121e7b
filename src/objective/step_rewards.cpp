#include "objective/step_rewards.h"

#include <algorithm>
#include <cmath>

#include "grpo/core/error.h"

namespace grpo {
namespace {

size_t function_with_steps(const Experience& experience, const std::vector<std::string>& functions, const std::string& wanted) {
  if (!wanted.empty()) return static_cast<size_t>(std::ranges::find(functions, wanted) - functions.begin());
  for (size_t f = 0; f < functions.size(); ++f) {
    for (const Group& group : experience) {
      for (const Sample& sample : group.samples) {
        if (!sample.scores[f].steps.empty()) return f;
      }
    }
  }
  fail("process_supervision",
       "expected steps of some reward function; got none in this rollout. Name the function as algorithm.step_reward where that may be");
}

}  // namespace

std::vector<size_t> text_ends(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::vector<size_t> ends;
  StreamDecoder decoder(tokenizer, true);
  std::string text;
  for (const int32_t id : ids) {
    text += decoder.push(id);
    ends.push_back(text.size());
  }
  text += decoder.finish();
  if (!ends.empty()) ends.back() = text.size();
  // The stream holds text back that later ids could change. Now that it is known, the ids that were held back show what they bring to it.
  size_t done = 0, first = 0;  // bytes of the text, and the first id after them
  for (size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] <= done) {
      const std::string held = tokenizer.decode(ids.subspan(first, i + 1 - first), true);
      ends[i] = done;
      if (!std::string_view(text).substr(done).starts_with(held)) continue;
      ends[i] += held.size();
    }
    done = ends[i];
    first = i + 1;
  }
  return ends;
}

std::vector<double> rewards_by_id(const Tokenizer& tokenizer, std::span<const int32_t> ids, const std::vector<StepScore>& steps) {
  std::vector<double> rewards(ids.size(), std::nan(""));
  if (steps.empty()) return rewards;
  const std::vector<size_t> ends = text_ends(tokenizer, ids);
  std::vector<double> counts(ids.size(), 0.0);
  for (const StepScore& step : steps) {
    const auto last = static_cast<size_t>(std::ranges::lower_bound(ends, step.end) - ends.begin());
    GRPO_CHECK(last < ids.size(), "process_supervision", "expected steps within the completion's text; got one that ends beyond");
    rewards[last] = (counts[last] == 0.0 ? 0.0 : rewards[last]) + step.value;
    ++counts[last];
  }
  for (size_t i = 0; i < ids.size(); ++i) rewards[i] /= std::max(counts[i], 1.0);
  return rewards;
}

std::vector<std::vector<double>> step_rewards(const Tokenizer& tokenizer, const Experience& experience,
                                              const std::vector<std::string>& functions, const std::string& wanted) {
  const size_t function = function_with_steps(experience, functions, wanted);
  std::vector<std::vector<double>> rewards;
  for (const Group& group : experience) {
    for (const Sample& sample : group.samples) rewards.push_back(rewards_by_id(tokenizer, sample.ids, sample.scores.at(function).steps));
  }
  return rewards;
}

}  // namespace grpo
