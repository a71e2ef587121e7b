#include "trainer/collector.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/mean.h"
#include "grpo/algorithm/advantages.h"
#include "grpo/core/config.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/random.h"
#include "policy/gather.h"
#include "policy/sampling.h"
#include "trainer/stopwatch.h"

namespace grpo {
namespace {

constexpr auto kWaiting = "partial_rollouts.json";  // in a checkpoint

/// Permutes verdicts over the samples, and those of steps over all steps, whose places stay.
void shuffle_verdicts(Experience& groups, size_t functions, Random& random) {
  const auto permute = [&random](size_t count, const auto& swap) {
    for (size_t i = count; i-- > 1;) swap(i, static_cast<size_t>(random.uniform_int(0, static_cast<int64_t>(i))));
  };
  std::vector<Sample*> samples;
  for (Group& group : groups) std::ranges::transform(group.samples, std::back_inserter(samples), [](Sample& sample) { return &sample; });
  permute(samples.size(), [&](size_t i, size_t j) {
    std::swap(samples[i]->reward, samples[j]->reward);
    for (size_t f = 0; f < functions; ++f) std::swap(samples[i]->scores[f].value, samples[j]->scores[f].value);
  });
  for (size_t f = 0; f < functions; ++f) {
    std::vector<StepScore*> steps;
    for (Sample* sample : samples)
      std::ranges::transform(sample->scores[f].steps, std::back_inserter(steps), [](StepScore& step) { return &step; });
    permute(steps.size(), [&steps](size_t i, size_t j) { std::swap(steps[i]->value, steps[j]->value); });
  }
}

}  // namespace

Collector::Collector(const Config& config, const Policy& policy, const std::vector<Problem>& problems,
                     const std::vector<Policy::EncodedPrompt>& prompts, RewardSet rewards, DataOrder& order, Communicator& communicator,
                     bool greedy)
    : config_(config),
      policy_(policy),
      problems_(problems),
      rewards_(std::move(rewards)),
      order_(order),
      communicator_(communicator),
      greedy_(greedy),
      engine_(*policy.model, engine_options(config.rollout)),
      sampler_(policy, engine_, problems, prompts, config.rollout, communicator),
      picker_(config.algorithm, static_cast<int64_t>(problems.size())),
      watch_(rewards_.names, config.algorithm.advantage.advantage_estimator != "reinforce_plus_plus" &&
                                 config.algorithm.objective != "ppo" && config.algorithm.objective != "expert_iteration"),
      verdicts_(rewards_.names),
      pass_judge_(judging_function(rewards_.names, config.algorithm.pass_rate_reward)) {
  const std::string& filter = config.algorithm.dynamic_sampling_reward;
  if (!filter.empty()) filter_judge_ = judging_function(rewards_.names, filter);
}

Collector::Collected Collector::collect(int64_t step, double temperature) {
  const auto& a = config_.algorithm;
  Collected collected;
  Metrics& metrics = collected.metrics;
  Sums sums;
  const double waited = sampler_.waiting_tokens();
  if (a.max_staleness) {  // what would be too old in the last update of this rollout
    const int64_t last = step + a.updates_per_rollout() - 1;
    metrics["rollout/stale_dropped"] = static_cast<double>(sampler_.drop_older(last - *a.max_staleness));
  }
  int64_t missing = a.generation_batch_size / config_.rollout.sampling.num_generations;
  const int64_t rounds = a.dynamic_sampling ? a.dynamic_sampling_rounds + 1 : 1;
  for (int64_t round = 0; round < rounds && missing > 0; ++round) {
    Experience groups = sample_round(picker_.pick(missing, order_), step, temperature, sums);
    for (const Group& group : groups) picker_.note(group.item, pass_rate(group));
    count_verdicts(groups, sums);
    verdicts_.add(groups, step + 1, sums.kinds);
    missing = a.dynamic_sampling ? std::erase_if(groups, [this](const Group& group) { return !worth_training_on(group); }) : 0;
    std::ranges::move(groups, std::back_inserter(collected.experience));
  }
  watch_.look(sums.counts, step == 0, problems_);
  for (size_t f = 0; f < sums.counts.undefined.size(); ++f)
    metrics["rewards/" + rewards_.names[f] + "/undefined"] = static_cast<double>(sums.counts.undefined[f]);
  assign(metrics, verdicts_.figures(sums.kinds));
  for (const auto& [name, figure] : sums.figures) metrics[name] = figure.first / static_cast<double>(figure.second);
  metrics["tokens/generated"] = sums.tokens;
  metrics["tokens/dropped"] = sums.tokens + waited - sampler_.waiting_tokens() - count_tokens(collected.experience);
  if (config_.rollout.partial_rollout_length > 0) metrics["rollout/waiting"] = static_cast<double>(sampler_.waiting());
  metrics["time/generate"] = sums.generate_seconds;
  metrics["time/reward"] = sums.reward_seconds;  // waiting for the slowest rank included
  metrics["time/generate_tokens_per_second"] = sums.tokens / std::max(sums.generate_seconds, 1e-9);
  return collected;
}

/// Begins groups of some problems and scores those that are finished now, on all ranks.
Experience Collector::sample_round(const std::vector<int64_t>& items, int64_t step, double temperature, Sums& sums) {
  Stopwatch watch;
  const RolloutKey key{static_cast<uint64_t>(config_.trainer.seed), static_cast<uint64_t>(rounds_++)};
  const double waited = sampler_.waiting_tokens();
  Experience groups = sampler_.sample(items, key, temperature, step);
  add_texts(policy_, groups);
  sums.generate_seconds += watch.lap();
  score_groups(groups, step, sums);
  sums.tokens += count_tokens(groups) + sampler_.waiting_tokens() - waited;
  if (greedy_) add_greedy_rewards(groups, step, sums);
  sums.reward_seconds += watch.lap();
  return groups;
}

RewardContext Collector::reward_context(int64_t step) const {
  RewardContext context;
  context.step = step;
  context.max_completion_length = config_.rollout.sampling.max_completion_length;
  return context;
}

/// Scores this rank's groups, which then become those of all ranks.
void Collector::score_groups(Experience& groups, int64_t step, Sums& sums) {
  RewardContext context = reward_context(step);
  interruptible(communicator_, [&] { score(rewards_, groups, context, &pool_); });
  gather(communicator_, groups, problems_);
  gather(communicator_, context.metrics);
  for (const auto& [name, figure] : context.metrics) {
    sums.figures[name].first += figure.first;
    sums.figures[name].second += figure.second;
  }
  if (!config_.trainer.shuffle_rewards) return;
  Random random(static_cast<uint64_t>(config_.trainer.seed), (uint64_t{1} << 40) + static_cast<uint64_t>(rounds_));
  shuffle_verdicts(groups, rewards_.names.size(), random);
}

/// Samples a greedy completion of each group's prompt and notes its reward.
void Collector::add_greedy_rewards(Experience& groups, int64_t step, Sums& sums) {
  SamplingParams params = config_.rollout.sampling;
  params.temperature = 0.0;
  params.num_generations = 1;
  const Share share = share_of(static_cast<int64_t>(groups.size()), communicator_);
  Experience greedy(groups.begin() + share.begin, groups.begin() + share.end);
  for (Group& group : greedy) group.samples.clear();
  RewardContext context = reward_context(step);
  GenerateContext generation;
  generation.interrupted = [] { return abandon_requested(); };
  interruptible(communicator_, [&] {
    sample_groups(policy_, engine_, greedy, params, {}, generation);
    expect_uncancelled(greedy);
    score(rewards_, greedy, context, &pool_);
  });
  gather(communicator_, greedy, problems_);
  for (size_t g = 0; g < groups.size(); ++g) groups[g].greedy_reward = greedy[g].samples.front().reward;
  sums.tokens += count_tokens(greedy);
}

void Collector::count_verdicts(const Experience& groups, Sums& sums) const {
  VerdictCounts& counts = sums.counts;
  counts.undefined.resize(rewards_.names.size());
  for (const Group& group : groups) {
    std::vector<double> rewards;
    for (const Sample& sample : group.samples) {
      rewards.push_back(sample.reward);
      ++counts.samples;
      counts.verdicts += std::isnan(sample.reward) ? 0 : 1;
      for (size_t f = 0; f < sample.scores.size(); ++f) counts.undefined[f] += sample.scores[f].defined() ? 0 : 1;
    }
    counts.varied += rewards_vary(rewards) ? 1 : 0;
  }
}

/// Whether the scores that dynamic sampling judges by vary, and their mean lies within the bounds.
bool Collector::worth_training_on(const Group& group) const {
  std::vector<double> values;
  Mean mean;
  for (const Sample& sample : group.samples) {
    values.push_back(filter_judge_ ? sample.scores[*filter_judge_].value : sample.reward);
    mean.add(values.back());
  }
  const double low = config_.algorithm.accuracy_lower_bound, high = config_.algorithm.accuracy_upper_bound;
  return rewards_vary(values) && (low <= 0.0 || mean.result() >= low) && (high >= 1.0 || mean.result() <= high);
}

/// The share of right samples, as the function that tells right from wrong sees it.
double Collector::pass_rate(const Group& group) const {
  Mean mean;
  for (const Sample& sample : group.samples) mean.add(std::clamp(sample.scores[pass_judge_].value, 0.0, 1.0));  // NaN stays
  return mean.result();
}

void Collector::look_at(const std::string& data, const std::vector<Problem>& problems) {
  verdicts_.look_at(data, rewards_, problems, communicator_.is_main());
}

void Collector::mark() {
  verdicts_.mark();
  marked_rounds_ = rounds_;
  picker_.mark();
  sampler_.mark();
}

void Collector::roll_back() {
  verdicts_.roll_back();
  rounds_ = marked_rounds_;
  picker_.roll_back();
  sampler_.roll_back();
}

void Collector::describe_state(ConfigVisitor& v) {
  v.field("rounds", rounds_, "", kNonNegative);
  picker_.describe_state(v);
  verdicts_.describe_state(v);
}

void Collector::save(const std::filesystem::path& folder) const {
  if (sampler_.waiting() > 0) sampler_.save(folder / kWaiting);
}

void Collector::load(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / kWaiting)) sampler_.load(folder / kWaiting);
}

}  // namespace grpo
