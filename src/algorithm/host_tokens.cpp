#include "host_tokens.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "grpo/core/error.h"

namespace grpo {

HostTokens::HostTokens(const Batch& batch)
    : sample_of(batch.sequence_of.begin(), batch.sequence_of.end()),
      mask(to_values(batch.mask)),
      lengths(static_cast<size_t>(batch.num_sequences()), 0.0) {
  GRPO_CHECK(mask.size() == sample_of.size(), "HostTokens", "expected a batch with a mask; got none or one of another size");
  lengths = sums(Values(mask.size(), 1.0));
}

Values HostTokens::numbers(const at::Tensor& tensor, std::string_view where, std::string_view name, bool optional) const {
  if (optional && !tensor.defined()) return Values(size(), 0.0);
  Values values = to_values(tensor);
  GRPO_CHECK(values.size() == size(), where,
             "expected " + std::string(name) + " [" + std::to_string(size()) + "]; got " + std::to_string(values.size()));
  return values;
}

Values HostTokens::spread(const Values& per_sample) const {
  Values result(size());
  for (size_t t = 0; t < size(); ++t) result[t] = per_sample[sample_of[t]];
  return result;
}

Values HostTokens::sums(const Values& values) const {
  Values result(lengths.size(), 0.0);
  for (size_t t = 0; t < size(); ++t) {
    if (in_loss(t)) result[sample_of[t]] += values[t];
  }
  return result;
}

Values HostTokens::kept(Values values) const {
  for (size_t t = 0; t < size(); ++t) {
    if (!in_loss(t)) values[t] = 0.0;
  }
  return values;
}

Values HostTokens::to_go(const Values& values, double gamma) const {
  Values result(size(), 0.0);
  double sum = 0;
  for (size_t t = size(); t-- > 0;) {
    if (t + 1 < size() && sample_of[t] != sample_of[t + 1]) sum = 0;
    result[t] = sum = values[t] + gamma * sum;
  }
  return result;
}

Values HostTokens::whitened(Values values) const {
  Rows counted;
  for (size_t t = 0; t < size(); ++t) {
    if (in_loss(t)) counted.push_back(t);
  }
  const Moments batch = moments(values, counted);
  for (double& value : values) value = batch.varied ? (value - batch.mean) / (batch.std + kScaleEpsilon) : 0.0;
  return values;
}

Values plus(Values a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

at::Tensor defined_or_zero(Values values) {
  std::ranges::replace_if(
      values, [](double value) { return std::isnan(value); }, 0.0);
  return to_tensor(values);
}

}  // namespace grpo
