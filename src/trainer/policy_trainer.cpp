#include "grpo/trainer/policy_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "grpo/core/threads.h"
#include "grpo/optim/adamw.h"
#include "trainer/exchange.h"
#include "trainer/group_sampler.h"
#include "trainer/objective.h"
#include "trainer/problem_picker.h"
#include "trainer/side_models.h"
#include "trainer/sources.h"
#include "trainer/step_rewards.h"

namespace grpo {
namespace {

using MetricMap = std::map<std::string, double>;

constexpr auto kWaiting = "partial_rollouts.json";  // in a checkpoint

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Figures of completion lengths under TRL's names.
void length_metrics(const std::vector<Rollout>& rollouts, MetricMap& metrics) {
  const auto figures = [&metrics](const std::string& name, const std::vector<double>& lengths) {
    if (lengths.empty()) return;
    metrics["completions/mean_" + name] = std::accumulate(lengths.begin(), lengths.end(), 0.0) / static_cast<double>(lengths.size());
    metrics["completions/min_" + name] = *std::min_element(lengths.begin(), lengths.end());
    metrics["completions/max_" + name] = *std::max_element(lengths.begin(), lengths.end());
  };
  std::vector<double> all, terminated;
  for (const auto& rollout : rollouts) {
    all.push_back(static_cast<double>(rollout.ids.size()));
    if (rollout.finish != FinishReason::kLength) terminated.push_back(all.back());
  }
  figures("length", all);
  figures("terminated_length", terminated);
  metrics["completions/clipped_ratio"] = 1.0 - static_cast<double>(terminated.size()) / static_cast<double>(all.size());
}

/// How many optimiser steps before this one its sequences began.
void note_staleness(const Batch& share, int64_t step, Tallies& tallies) {
  Tally mean, max{.kind = Tally::Kind::kMax};
  for (const int64_t version : share.versions) {
    const auto age = static_cast<double>(step - version);
    mean.merge({.value = age, .count = 1.0});
    max.merge({.kind = Tally::Kind::kMax, .value = age, .count = 1.0});
  }
  merge(tallies, {{"rollout/staleness_mean", mean}, {"rollout/staleness_max", max}});
}

double mean_of(const std::vector<double>& values, size_t begin, size_t count) {
  return std::accumulate(values.begin() + static_cast<int64_t>(begin), values.begin() + static_cast<int64_t>(begin + count), 0.0) /
         static_cast<double>(count);
}

/// Permutes verdicts over the samples, and those of steps over all steps, whose places stay.
void shuffle(ScoredBatch& scores, Random& random) {
  const auto permute = [&random](size_t count, const auto& swap) {
    for (size_t i = count; i-- > 1;) swap(i, static_cast<size_t>(random.uniform_int(0, static_cast<int64_t>(i))));
  };
  permute(scores.rewards.size(), [&scores](size_t i, size_t j) {
    std::swap(scores.rewards[i], scores.rewards[j]);
    for (auto& values : scores.per_function) std::swap(values[i], values[j]);
  });
  for (auto& samples : scores.steps) {
    std::vector<StepScore*> steps;
    for (auto& sample : samples) std::ranges::transform(sample, std::back_inserter(steps), [](StepScore& step) { return &step; });
    permute(steps.size(), [&steps](size_t i, size_t j) { std::swap(steps[i]->value, steps[j]->value); });
  }
}

}  // namespace

struct PolicyTrainer::Impl {
  Impl(const Config& config, const Registry& registry, const Policy& policy, const std::vector<Problem>& problems,
       Communicator& communicator)
      : rewards(make_rewards(config.reward, registry)),
        engine(*policy.model, engine_options(config.rollout)),
        sampler(policy, engine, problems, config, communicator),
        updates_per_rollout(config.algorithm.steps_per_generation * config.algorithm.num_iterations),
        temperature(config.rollout.sampling.temperature),
        objective(make_objective({*policy.model, config, updates_per_rollout, communicator, registry.losses, temperature})),
        picker(config.algorithm, static_cast<int64_t>(problems.size())) {}

  RewardSet rewards;
  RolloutEngine engine;
  GroupSampler sampler;
  int64_t updates_per_rollout;
  double temperature;  // of the rollout that is trained on
  std::unique_ptr<Objective> objective;
  ProblemPicker picker;
  ThreadPool pool;
  std::deque<Batch> updates;  // this rank's shares of the mini-batches that are still to be trained on
};

/// Groups as they were finished, in the order of `items`.
struct PolicyTrainer::Round {
  std::vector<int64_t> items;
  SampledBatch sampled;  // greedy_rewards are by item here
  ScoredBatch scores;
};

PolicyTrainer::PolicyTrainer(const Config& config, TrainerParts parts, const Registry& registry)
    : Trainer(config, std::move(parts), registry, Command::kTrain),
      impl_(std::make_unique<Impl>(config_, registry_, *policy_, problems_, *communicator_)) {
  GRPO_CHECK(!policy_->model->config().sequence_classifier, "train", "expected a language model; got a sequence classifier");
  const int64_t prompts = config_.algorithm.generation_batch_size / config_.rollout.sampling.num_generations;
  total_steps_ = planned_steps(prompts, impl_->updates_per_rollout);
  adopt(impl_->objective->models());
}

PolicyTrainer::~PolicyTrainer() = default;

// Partial rollouts that wait are the sampler's, and a step that failed has changed them.
bool PolicyTrainer::can_save_after_failure() const { return config_.rollout.partial_rollout_length == 0; }

bool PolicyTrainer::at_boundary() const { return impl_->updates.empty(); }

/// The objective's figures, their number first, then the picker's.
std::vector<double> PolicyTrainer::objective_state() const {
  std::vector<double> state = impl_->objective->state();
  const std::vector<double> picked = impl_->picker.state();
  state.insert(state.begin(), static_cast<double>(state.size()));
  state.insert(state.end(), picked.begin(), picked.end());
  return state;
}

void PolicyTrainer::restore_objective(const std::vector<double>& state) {
  GRPO_CHECK(!state.empty() && static_cast<size_t>(state.front()) < state.size(), "checkpoint", "expected the objective's figures");
  const auto end = state.begin() + 1 + static_cast<int64_t>(state.front());
  impl_->objective->restore({state.begin() + 1, end});
  impl_->picker.restore({end, state.end()});
}

void PolicyTrainer::save_files(const std::string& folder) const {
  if (config_.rollout.partial_rollout_length > 0) impl_->sampler.save(std::filesystem::path(folder) / kWaiting);
}

void PolicyTrainer::load_files(const std::string& folder) {
  const auto file = std::filesystem::path(folder) / kWaiting;
  if (std::filesystem::exists(file)) impl_->sampler.load(file);
}

/// Problems → completions → verdicts, groups that teach nothing replaced where the config says so.
std::pair<SampledBatch, ScoredBatch> PolicyTrainer::collect(MetricMap& metrics) {
  const auto& a = config_.algorithm;
  const auto group_size = static_cast<size_t>(config_.rollout.sampling.num_generations);
  const int64_t wanted = a.generation_batch_size / config_.rollout.sampling.num_generations;
  SampledBatch kept;
  ScoredBatch verdicts;
  verdicts.per_function.resize(impl_->rewards.names.size());
  verdicts.reasons.resize(impl_->rewards.names.size());
  verdicts.steps.resize(impl_->rewards.names.size());
  for (const char* sum : {"tokens/generated", "time/generate", "time/reward"}) metrics[sum] = 0.0;
  const double waited = impl_->sampler.waiting_tokens();
  drop_stale(metrics);
  const int64_t rounds = a.dynamic_sampling ? a.dynamic_sampling_rounds + 1 : 1;
  for (int64_t round = 0, missing = wanted; round < rounds && missing > 0; ++round) {
    auto [items, sampled, scores] = sample_round(impl_->picker.pick(missing, [this] { return next_items(1).front(); }), metrics);
    missing = 0;
    for (size_t begin = 0; begin < sampled.rollouts.size(); begin += group_size) {
      impl_->picker.note(items[begin / group_size], mean_of(judged(scores), begin, group_size));
      if (a.dynamic_sampling && !worth_training_on(scores, begin, group_size)) {
        ++missing;
        continue;
      }
      const auto group = static_cast<int64_t>(kept.rollouts.size() / group_size);
      for (size_t i = begin; i < begin + group_size; ++i) {
        sampled.rollouts[i].group = group;
        kept.rollouts.push_back(std::move(sampled.rollouts[i]));
        kept.completions.push_back(std::move(sampled.completions[i]));
        if (!sampled.greedy_rewards.empty()) kept.greedy_rewards.push_back(sampled.greedy_rewards[begin / group_size]);
        verdicts.rewards.push_back(scores.rewards[i]);
        for (size_t f = 0; f < scores.per_function.size(); ++f) {
          verdicts.per_function[f].push_back(scores.per_function[f][i]);
          verdicts.steps[f].push_back(std::move(scores.steps[f][i]));
        }
      }
    }
  }
  tokens_seen_ += metrics["tokens/generated"];
  metrics["tokens/dropped"] = metrics["tokens/generated"] + waited - impl_->sampler.waiting_tokens() - count_tokens(kept.rollouts);
  if (config_.rollout.partial_rollout_length > 0) metrics["rollout/waiting"] = static_cast<double>(impl_->sampler.waiting());
  metrics["time/generate_tokens_per_second"] = metrics["tokens/generated"] / std::max(metrics["time/generate"], 1e-9);
  return {std::move(kept), std::move(verdicts)};
}

/// Leaves out waiting groups that would be too old in the last update of this rollout.
void PolicyTrainer::drop_stale(MetricMap& metrics) {
  const auto& limit = config_.algorithm.max_staleness;
  if (!limit) return;
  const int64_t last = steps_done_ + impl_->updates_per_rollout - 1;
  metrics["rollout/stale_dropped"] = static_cast<double>(impl_->sampler.drop_older(last - *limit));
}

/// Begins groups of some problems and scores those that are finished now; adds to the sums in `metrics`.
PolicyTrainer::Round PolicyTrainer::sample_round(const std::vector<int64_t>& items, MetricMap& metrics) {
  Stopwatch watch;
  const RolloutKey key{static_cast<uint64_t>(config_.trainer.seed), static_cast<uint64_t>(rollouts_done_++)};
  const double waited = impl_->sampler.waiting_tokens();
  auto groups = impl_->sampler.sample(items, key, impl_->temperature, steps_done_);
  metrics["tokens/generated"] += impl_->sampler.waiting_tokens() - waited;
  Round round;
  std::vector<const Problem*> problems;
  std::vector<Rollout> mine;
  const Share share = share_of(static_cast<int64_t>(groups.size()), *communicator_);
  for (int64_t g = 0; g < static_cast<int64_t>(groups.size()); ++g) {
    SampleGroup& group = groups[static_cast<size_t>(g)];
    round.items.push_back(group.item);
    problems.push_back(&problems_[static_cast<size_t>(group.item)]);
    if (g < share.begin || g >= share.end) continue;
    for (Rollout& rollout : group.rollouts) mine.push_back(std::move(rollout)), mine.back().group = g;
  }
  round.sampled = with_texts(*policy_, problems, config_.data.prompt, std::move(mine));
  metrics["time/generate"] += watch.lap();
  round.scores = score(problems, round.sampled, metrics);
  metrics["tokens/generated"] += count_tokens(round.sampled.rollouts);
  if (config_.algorithm.advantage.advantage_estimator == AdvantageEstimator::kRemax)
    round.sampled.greedy_rewards = greedy_rewards(problems, metrics);
  metrics["time/reward"] += watch.lap();  // waiting for the slowest rank included
  return round;
}

/// The weighted reward of each problem's greedy completion.
std::vector<double> PolicyTrainer::greedy_rewards(const std::vector<const Problem*>& problems, MetricMap& metrics) {
  SamplingParams params = config_.rollout.sampling;
  params.temperature = 0.0;
  params.num_generations = 1;
  SampledBatch greedy = sample_share(*policy_, impl_->engine, problems, share_of(static_cast<int64_t>(problems.size()), *communicator_),
                                     config_.data.prompt, params, {});
  RewardContext context;
  context.step = steps_done_;
  context.max_completion_length = params.max_completion_length;
  ScoredBatch scores = score_all(impl_->rewards, greedy.completions, context, &impl_->pool);
  gather(*communicator_, problems, greedy, scores, context);
  metrics["tokens/generated"] += count_tokens(greedy.rollouts);
  return scores.rewards;
}

/// Scores this rank's samples; `sampled` and the answer are then those of all ranks, in the order of problems.
ScoredBatch PolicyTrainer::score(const std::vector<const Problem*>& problems, SampledBatch& sampled, MetricMap& metrics) {
  RewardContext context;
  context.step = steps_done_;
  context.max_completion_length = config_.rollout.sampling.max_completion_length;
  ScoredBatch scores = score_all(impl_->rewards, sampled.completions, context, &impl_->pool);
  gather(*communicator_, problems, sampled, scores, context);
  for (const auto& [name, entry] : context.metrics) metrics[name] = entry.first / static_cast<double>(entry.second);
  if (config_.trainer.shuffle_rewards) {
    Random random(static_cast<uint64_t>(config_.trainer.seed), (uint64_t{1} << 40) + static_cast<uint64_t>(rollouts_done_));
    shuffle(scores, random);
  }
  return scores;
}

/// The verdicts that groups are judged by, of every sample.
const std::vector<double>& PolicyTrainer::judged(const ScoredBatch& scores) const {
  const auto& names = impl_->rewards.names;
  const auto judge = std::find(names.begin(), names.end(), config_.algorithm.dynamic_sampling_reward);
  return judge == names.end() ? scores.rewards : scores.per_function[static_cast<size_t>(judge - names.begin())];
}

bool PolicyTrainer::worth_training_on(const ScoredBatch& scores, size_t begin, size_t count) const {
  const auto& values = judged(scores);
  const bool varied = std::any_of(values.begin() + static_cast<int64_t>(begin), values.begin() + static_cast<int64_t>(begin + count),
                                  [&](double v) { return std::abs(v - values[begin]) > 1e-6; });  // false for undefined verdicts
  const double low = config_.algorithm.accuracy_lower_bound, high = config_.algorithm.accuracy_upper_bound;
  const double mean = mean_of(values, begin, count);
  return varied && (low <= 0.0 || mean >= low) && (high >= 1.0 || mean <= high);
}

/// Samples, scores and packs one rollout and cuts it into this rank's shares of the coming updates.
void PolicyTrainer::collect_updates(MetricMap& metrics) {
  if (const auto& end = config_.rollout.final_temperature) {
    const double start = config_.rollout.sampling.temperature;
    impl_->temperature =
        start + (*end - start) * static_cast<double>(steps_done_) / static_cast<double>(std::max<int64_t>(total_steps_ - 1, 1));
    metrics["temperature"] = impl_->temperature;
  }
  auto [sampled, scores] = collect(metrics);
  if (sampled.rollouts.empty()) return;
  if (config_.algorithm.advantage.advantage_estimator == AdvantageEstimator::kProcessSupervision)
    sampled.step_rewards = step_rewards(*policy_->tokenizer, sampled, scores, impl_->rewards.names, config_.algorithm.step_reward);
  length_metrics(sampled.rollouts, metrics);
  log_samples(sampled, scores);
  const Batch batch = impl_->objective->prepare(sampled, scores, metrics);
  if (batch.num_samples() == 0) return;
  const int64_t unit = impl_->objective->sequences_per_unit(), units = batch.num_samples() / unit;
  const int64_t cuts = std::min(config_.algorithm.steps_per_generation, units);
  for (int64_t cut = 0; cut < cuts; ++cut) {
    const int64_t begin = units * cut / cuts, end = units * (cut + 1) / cuts;
    const Share share = share_of(end - begin, *communicator_);
    Batch part;  // a rank's share may be empty
    if (share.size() > 0) {
      std::vector<int64_t> chosen(static_cast<size_t>(share.size() * unit));
      std::iota(chosen.begin(), chosen.end(), (begin + share.begin) * unit);
      part = share.size() == units ? batch : batch.select(chosen);
    }
    impl_->updates.push_back(std::move(part));
  }
  const std::vector<Batch> once(impl_->updates.begin(), impl_->updates.end());
  for (int64_t pass = 1; pass < config_.algorithm.num_iterations; ++pass) {
    impl_->updates.insert(impl_->updates.end(), once.begin(), once.end());
  }
}

void PolicyTrainer::log_samples(const SampledBatch& sampled, const ScoredBatch& scores) {
  if (!communicator_->is_main()) return;
  const auto count = std::min(static_cast<size_t>(config_.trainer.log_completions), sampled.completions.size());
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * sampled.completions.size() / count;  // spread over the groups
    const Completion& c = sampled.completions[at];
    nlohmann::ordered_json line = {
        {"step", steps_done_ + 1}, {"prompt", c.prompt}, {"completion", c.text}, {"finish", to_string(c.finish)}};
    for (size_t f = 0; f < impl_->rewards.names.size(); ++f) {
      const double value = scores.per_function[f][at];
      line["rewards"][impl_->rewards.names[f]] = std::isnan(value) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(value);
    }
    log_completion(to_printable_text(line));
  }
}

MetricMap PolicyTrainer::update(double learning_rate) {
  MetricMap metrics;
  if (impl_->updates.empty()) collect_updates(metrics);
  if (impl_->updates.empty()) return metrics;  // no group had variance: nothing to learn from in this step

  Stopwatch watch;
  const Batch step = std::move(impl_->updates.front());
  impl_->updates.pop_front();
  Objective& objective = *impl_->objective;
  const SplitOptions split{.max_tokens = config_.trainer.max_tokens, .keep_groups = objective.sequences_per_unit() > 1};
  const auto micro_batches = step.num_samples() > 0 ? step.split(split) : std::vector<Batch>();
  const LossNormalizer normalizer = objective.normalizer(step, static_cast<int64_t>(micro_batches.size()));
  if (normalizer.tokens == 0) return metrics;  // every completion was masked
  // Sampling and training take turns with the host's memory: packed weights are worth nothing after the update, gradients neither.
  if (policy_->model->device().is_cpu()) impl_->engine.release();
  optimizer_->zero_grad();
  side_models_->zero_grad();
  const bool moves = objective.moves_policy(steps_done_);
  double loss = 0.0;
  Tallies tallies;
  if (impl_->updates_per_rollout > 1 || config_.rollout.partial_rollout_length > 0) note_staleness(step, steps_done_, tallies);
  BackwardOptions options = backward_options();
  options.temperature = impl_->temperature;
  for (const auto& part : micro_batches) {
    const Batch micro = part.to(policy_->model->device());
    if (moves || objective.values_with_policy()) {
      options.logprobs = true;
      options.values = objective.values_with_policy();
      loss += pass(*policy_->model, micro, options, tallies,
                   [&](const TokenOutputs& outputs) { return objective.loss(outputs, micro, normalizer); });
    }
    for (const auto& model : side_models_->models()) {
      if (model.pass == nullptr) continue;
      options.logprobs = !model.values;
      options.values = model.values;
      pass(*model.pass, micro, options, tallies,
           [&](const TokenOutputs& outputs) { return objective.model_loss(model, outputs, micro, normalizer); });
    }
  }
  metrics["loss"] = finish_backward(loss);
  gather(*communicator_, tallies);
  for (const auto& [name, tally] : tallies) metrics[name] = tally.result();
  metrics["tokens/trained"] = normalizer.tokens;
  apply_update(learning_rate, metrics, moves);
  for (auto* arena : policy_->model->trainable()) arena->release_grad();
  objective.end_step(steps_done_ + 1, metrics);
  metrics["time/update"] = watch.lap();
  return metrics;
}

std::vector<std::string> PolicyTrainer::plan_lines() const {
  const auto& a = config_.algorithm;
  const auto& s = config_.rollout.sampling;
  return {"rollout: " + std::to_string(a.generation_batch_size / s.num_generations) + " problems x " + std::to_string(s.num_generations) +
              " samples of at most " + std::to_string(s.max_completion_length) + " tokens, " + std::to_string(impl_->updates_per_rollout) +
              " updates each",
          "tokens: at most " +
              std::to_string(total_steps_ / impl_->updates_per_rollout * a.generation_batch_size * s.max_completion_length) + " generated"};
}

}  // namespace grpo
