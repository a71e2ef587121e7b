#include "trainer/exchange.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <type_traits>

#include "grpo/core/error.h"

namespace grpo {
namespace {

/// Appends values to bytes.
class Writer {
 public:
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      raw(&value, sizeof value);
    } else {
      (*this)(value.size());
      if constexpr (std::is_trivially_copyable_v<typename T::value_type>) {
        raw(value.data(), value.size() * sizeof(typename T::value_type));
      } else {
        for (const auto& element : value) (*this)(element);
      }
    }
  }
  std::string bytes;

 private:
  void raw(const void* data, size_t size) { bytes.append(static_cast<const char*>(data), size); }
};

/// Takes them from there, in the same order.
class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      raw(&value, sizeof value);
    } else {
      size_t size = 0;
      (*this)(size);
      GRPO_CHECK(size <= bytes_.size(), "exchange", "expected the samples of another rank; got something else");
      value.resize(size);
      if constexpr (std::is_trivially_copyable_v<typename T::value_type>) {
        raw(value.data(), size * sizeof(typename T::value_type));
      } else {
        for (auto& element : value) (*this)(element);
      }
    }
  }

 private:
  void raw(void* data, size_t size) {
    GRPO_CHECK(size <= bytes_.size() - at_, "exchange", "expected more bytes of another rank's samples; got fewer");
    std::memcpy(data, bytes_.data() + at_, size);
    at_ += size;
  }
  const std::string& bytes_;
  size_t at_ = 0;
};

// One description serves writing and reading.
template <class Archive>
void transfer(Archive& a, Rollout& r) {
  a(r.problem), a(r.group), a(r.sample), a(r.prompt_ids), a(r.ids), a(r.logprobs), a(r.processed_logprobs), a(r.finish);
  a(r.policy_version);
}

template <class Archive>
void transfer(Archive& a, std::vector<Rollout>& rollouts) {
  size_t count = rollouts.size();
  a(count);
  rollouts.resize(count);
  for (Rollout& rollout : rollouts) transfer(a, rollout);
}

template <class Archive>
void transfer(Archive& a, SampledBatch& sampled, ScoredBatch& scores) {
  transfer(a, sampled.rollouts);
  sampled.completions.resize(sampled.rollouts.size());
  for (Completion& completion : sampled.completions) a(completion.prompt), a(completion.text);
  a(scores.per_function), a(scores.reasons), a(scores.rewards), a(scores.steps);
}

template <class Archive>
void transfer(Archive& a, std::pair<double, int64_t>& sum) {
  a(sum.first), a(sum.second);
}

template <class Archive>
void transfer(Archive& a, Tally& tally) {
  a(tally.kind), a(tally.value), a(tally.count);
}

template <class Archive, class Value>
void transfer(Archive& a, std::map<std::string, Value>& entries) {
  std::vector<std::string> names;
  for (const auto& [name, value] : entries) names.push_back(name);
  a(names);
  for (const auto& name : names) transfer(a, entries[name]);
}

/// What each rank has, in the order of ranks.
template <class T>
std::vector<T> of_all_ranks(Communicator& communicator, T& mine) {
  Writer writer;
  transfer(writer, mine);
  std::vector<T> all;
  for (const auto& bytes : all_gather(communicator, writer.bytes)) {
    Reader reader(bytes);
    transfer(reader, all.emplace_back());
  }
  return all;
}

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void gather(Communicator& communicator, const std::vector<const Problem*>& problems, SampledBatch& sampled, ScoredBatch& scores,
            RewardContext& context) {
  if (communicator.world_size() == 1) return;
  Writer writer;
  transfer(writer, sampled, scores);
  transfer(writer, context.metrics);
  sampled = {};
  const size_t functions = scores.per_function.size();
  scores = {.per_function = std::vector<std::vector<double>>(functions),
            .reasons = std::vector<std::vector<std::string>>(functions),
            .rewards = {},
            .steps = std::vector<std::vector<std::vector<StepScore>>>(functions)};
  context.metrics.clear();
  for (const auto& bytes : all_gather(communicator, writer.bytes)) {
    Reader reader(bytes);
    SampledBatch more;
    ScoredBatch verdicts;
    std::map<std::string, std::pair<double, int64_t>> metrics;
    transfer(reader, more, verdicts);
    transfer(reader, metrics);
    for (size_t i = 0; i < more.rollouts.size(); ++i) {
      const Rollout& rollout = more.rollouts[i];
      Completion& completion = more.completions[i];
      completion.problem = problems.at(static_cast<size_t>(rollout.group));
      completion.ids = rollout.ids;
      completion.finish = rollout.finish;
      completion.sample = rollout.sample;
    }
    append(sampled.rollouts, more.rollouts);
    append(sampled.completions, more.completions);
    append(scores.rewards, verdicts.rewards);
    for (size_t f = 0; f < functions; ++f) {
      append(scores.per_function[f], verdicts.per_function[f]);
      append(scores.reasons[f], verdicts.reasons[f]);
      append(scores.steps[f], verdicts.steps[f]);
    }
    for (const auto& [name, sum] : metrics) context.metrics[name].first += sum.first, context.metrics[name].second += sum.second;
  }
}

void gather(Communicator& communicator, std::vector<Rollout>& rollouts) {
  if (communicator.world_size() == 1) return;
  auto all = of_all_ranks(communicator, rollouts);
  rollouts.clear();
  for (auto& more : all) append(rollouts, more);
}

void gather(Communicator& communicator, Tallies& tallies) {
  if (communicator.world_size() == 1) return;
  const auto all = of_all_ranks(communicator, tallies);
  tallies.clear();
  for (const Tallies& more : all) merge(tallies, more);
}

at::Tensor gather(Communicator& communicator, const at::Tensor& values) {
  if (communicator.world_size() == 1) return values;
  const at::Tensor mine = values.to(at::kCPU, at::kFloat).contiguous();
  std::string all;
  for (const auto& bytes : all_gather(communicator, {static_cast<const char*>(mine.const_data_ptr()), mine.nbytes()})) all += bytes;
  at::Tensor result = at::empty({static_cast<int64_t>(all.size() / sizeof(float))}, at::kFloat);
  std::memcpy(result.data_ptr<float>(), all.data(), all.size());
  return result;
}

}  // namespace grpo
