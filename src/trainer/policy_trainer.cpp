#include "grpo/trainer/policy_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <nlohmann/json.hpp>
#include <numeric>

#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "grpo/core/threads.h"
#include "grpo/optim/adamw.h"
#include "trainer/exchange.h"
#include "trainer/objective.h"
#include "trainer/sources.h"

namespace grpo {
namespace {

using MetricMap = std::map<std::string, double>;

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

double count_tokens(const std::vector<Rollout>& rollouts) {
  return std::accumulate(rollouts.begin(), rollouts.end(), 0.0,
                         [](double sum, const Rollout& r) { return sum + static_cast<double>(r.ids.size()); });
}

}  // namespace

struct PolicyTrainer::Impl {
  Impl(const Config& config, const Registry& registry, Transformer& model, Communicator& communicator)
      : rewards(make_rewards(config.reward, registry)),
        engine(model, engine_options(config.rollout)),
        updates_per_rollout(config.algorithm.steps_per_generation * config.algorithm.num_iterations),
        objective(make_objective({model, config, updates_per_rollout, communicator})) {}

  RewardSet rewards;
  RolloutEngine engine;
  int64_t updates_per_rollout;
  std::unique_ptr<Objective> objective;
  ThreadPool pool;
  std::deque<Batch> updates;  // this rank's shares of the mini-batches that are still to be trained on
};

PolicyTrainer::PolicyTrainer(const Config& config, TrainerParts parts, const Registry& registry)
    : Trainer(config, std::move(parts), registry, Command::kTrain),
      impl_(std::make_unique<Impl>(config_, registry_, *policy_->model, *communicator_)) {
  const int64_t prompts = config_.algorithm.generation_batch_size / config_.rollout.sampling.num_generations;
  const double rollouts = std::ceil(config_.trainer.num_train_epochs * static_cast<double>(dataset_size_) / static_cast<double>(prompts));
  total_steps_ = config_.trainer.max_steps > 0 ? config_.trainer.max_steps : static_cast<int64_t>(rollouts) * impl_->updates_per_rollout;
  adopt(impl_->objective->models());
}

PolicyTrainer::~PolicyTrainer() = default;

bool PolicyTrainer::at_boundary() const { return impl_->updates.empty(); }
std::vector<double> PolicyTrainer::objective_state() const { return impl_->objective->state(); }
void PolicyTrainer::restore_objective(const std::vector<double>& state) { impl_->objective->restore(state); }

/// Problems → completions → verdicts, groups without variance replaced where the config says so.
std::pair<SampledBatch, ScoredBatch> PolicyTrainer::collect(MetricMap& metrics) {
  const auto& a = config_.algorithm;
  const auto group_size = static_cast<size_t>(config_.rollout.sampling.num_generations);
  const auto wanted = static_cast<size_t>(a.generation_batch_size) / group_size;
  SampledBatch kept;
  ScoredBatch verdicts;
  verdicts.per_function.resize(impl_->rewards.names.size());
  verdicts.reasons.resize(impl_->rewards.names.size());
  double generated = 0.0, sample_seconds = 0.0, reward_seconds = 0.0;
  const int64_t rounds = a.dynamic_sampling ? a.dynamic_sampling_rounds + 1 : 1;
  for (int64_t round = 0; round < rounds && kept.rollouts.size() < wanted * group_size; ++round) {
    Stopwatch watch;
    std::vector<const Problem*> problems;
    for (const int64_t item : next_items(static_cast<int64_t>(wanted - kept.rollouts.size() / group_size))) {
      problems.push_back(&problems_[static_cast<size_t>(item)]);
    }
    SampledBatch sampled = sample_share(*policy_, impl_->engine, problems, share_of(static_cast<int64_t>(problems.size()), *communicator_),
                                        config_.data.prompt, config_.rollout.sampling,
                                        {static_cast<uint64_t>(config_.trainer.seed), static_cast<uint64_t>(rollouts_done_++)});
    sample_seconds += watch.lap();
    ScoredBatch scores = score(problems, sampled, metrics);
    generated += count_tokens(sampled.rollouts);
    reward_seconds += watch.lap();  // waiting for the slowest rank included
    for (size_t begin = 0; begin < sampled.rollouts.size(); begin += group_size) {
      if (a.dynamic_sampling && !has_variance(scores, begin, group_size)) continue;
      const auto group = static_cast<int64_t>(kept.rollouts.size() / group_size);
      for (size_t i = begin; i < begin + group_size; ++i) {
        sampled.rollouts[i].group = group;
        kept.rollouts.push_back(std::move(sampled.rollouts[i]));
        kept.completions.push_back(std::move(sampled.completions[i]));
        verdicts.rewards.push_back(scores.rewards[i]);
        for (size_t f = 0; f < scores.per_function.size(); ++f) verdicts.per_function[f].push_back(scores.per_function[f][i]);
      }
    }
  }
  const double trained = count_tokens(kept.rollouts);
  tokens_seen_ += generated;
  metrics["tokens/generated"] = generated;
  metrics["tokens/dropped"] = generated - trained;
  metrics["time/generate"] = sample_seconds;
  metrics["time/reward"] = reward_seconds;
  metrics["time/generate_tokens_per_second"] = generated / std::max(sample_seconds, 1e-9);
  return {std::move(kept), std::move(verdicts)};
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
    for (size_t i = scores.rewards.size() - 1; i > 0; --i) {
      const auto j = static_cast<size_t>(random.uniform_int(0, static_cast<int64_t>(i)));
      std::swap(scores.rewards[i], scores.rewards[j]);
      for (auto& values : scores.per_function) std::swap(values[i], values[j]);
    }
  }
  return scores;
}

bool PolicyTrainer::has_variance(const ScoredBatch& scores, size_t begin, size_t count) const {
  const auto& names = impl_->rewards.names;
  const auto judge = std::find(names.begin(), names.end(), config_.algorithm.dynamic_sampling_reward);
  const auto& values = judge == names.end() ? scores.rewards : scores.per_function[static_cast<size_t>(judge - names.begin())];
  return std::any_of(values.begin() + static_cast<int64_t>(begin), values.begin() + static_cast<int64_t>(begin + count), [&](double v) {
    return std::abs(v - values[begin]) > 1e-6;  // false for undefined verdicts
  });
}

/// Samples, scores and packs one rollout and cuts it into this rank's shares of the coming updates.
void PolicyTrainer::collect_updates(MetricMap& metrics) {
  const auto [sampled, scores] = collect(metrics);
  if (sampled.rollouts.empty()) return;
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
    log_completion(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
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
  optimizer_->zero_grad();
  side_models_->zero_grad();
  const bool moves = objective.moves_policy(steps_done_);
  double loss = 0.0;
  Tallies tallies;
  for (const auto& micro : micro_batches) {
    if (moves || objective.values_with_policy()) {
      loss += pass(*policy_->model, micro, {.logprobs = true, .values = objective.values_with_policy()}, tallies,
                   [&](const TokenOutputs& outputs) { return objective.loss(outputs, micro, normalizer); });
    }
    for (const auto& model : side_models_->models()) {
      if (model.pass == nullptr) continue;
      pass(*model.pass, micro, {.logprobs = !model.values, .values = model.values}, tallies,
           [&](const TokenOutputs& outputs) { return objective.model_loss(model, outputs, micro, normalizer); });
    }
  }
  metrics["loss"] = finish_backward(loss);
  gather(*communicator_, tallies);
  for (const auto& [name, tally] : tallies) metrics[name] = tally.result();
  metrics["tokens/trained"] = normalizer.tokens;
  apply_update(learning_rate, metrics, moves);
  objective.end_step(steps_done_ + 1, metrics);
  metrics["time/update"] = watch.lap();
  return metrics;
}

/// Forward and backward of one model over a micro-batch; gives its loss.
double PolicyTrainer::pass(Transformer& model, const Batch& micro, BackwardOptions options, Tallies& tallies,
                           const std::function<LossOutput(const TokenOutputs&)>& loss_fn) const {
  options.temperature = config_.rollout.sampling.temperature;
  options.recompute = static_cast<Recompute>(config_.trainer.recompute);
  options.activation_budget = static_cast<int64_t>(config_.trainer.activation_gib * (int64_t{1} << 30));
  const at::Tensor loss = model.forward_backward(
      micro,
      [&](const TokenOutputs& outputs) {
        LossOutput out = loss_fn(outputs);
        merge(tallies, out.metrics);
        return out.loss;
      },
      options);
  return loss.item<double>();
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
