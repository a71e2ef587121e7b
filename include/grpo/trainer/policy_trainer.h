#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "grpo/trainer/trainer.h"

namespace grpo {

struct Batch;
struct SampledBatch;
struct ScoredBatch;

/// Reinforcement learning with verifiable rewards: sample, score, advantages, pack, update. The objective is a word in the config.
class PolicyTrainer final : public Trainer {
 public:
  explicit PolicyTrainer(const Config& config, TrainerParts parts = {}, const Registry& registry = builtin_registry());
  ~PolicyTrainer() override;

 private:
  std::map<std::string, double> update(double learning_rate) override;
  bool at_boundary() const override;
  bool can_save_after_failure() const override;
  std::vector<double> objective_state() const override;
  void restore_objective(const std::vector<double>& state) override;
  void save_files(const std::string& folder) const override;
  void load_files(const std::string& folder) override;
  std::vector<std::string> plan_lines() const override;

  struct Round;
  std::pair<SampledBatch, ScoredBatch> collect(std::map<std::string, double>& metrics);
  Round sample_round(const std::vector<int64_t>& items, std::map<std::string, double>& metrics);
  void drop_stale(std::map<std::string, double>& metrics);
  std::vector<double> greedy_rewards(const std::vector<const Problem*>& problems, std::map<std::string, double>& metrics);
  ScoredBatch score(const std::vector<const Problem*>& problems, SampledBatch& sampled, std::map<std::string, double>& metrics);
  bool worth_training_on(const ScoredBatch& scores, size_t begin, size_t count) const;
  const std::vector<double>& judged(const ScoredBatch& scores) const;
  void collect_updates(std::map<std::string, double>& metrics);
  void log_samples(const SampledBatch& sampled, const ScoredBatch& scores);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

using GrpoTrainer = PolicyTrainer;

/// Training on given preference pairs, a problem's columns «chosen» and «rejected»: direct preference optimisation (Command::kDpo), or a
/// Bradley–Terry reward model (Command::kRewardModel), which is saved as a sequence classifier.
class PreferenceTrainer final : public Trainer {
 public:
  PreferenceTrainer(const Config& config, TrainerParts parts, const Registry& registry, Command command);
  ~PreferenceTrainer() override;

 private:
  std::map<std::string, double> update(double learning_rate) override;
  std::vector<std::string> plan_lines() const override;
  double learn(const Batch& micro, double pairs, std::map<std::string, Tally>& tallies);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Supervised fine-tuning on completions: packed, the prompt's tokens outside the loss.
class SftTrainer final : public Trainer {
 public:
  explicit SftTrainer(const Config& config, TrainerParts parts = {}, const Registry& registry = builtin_registry());
  ~SftTrainer() override;

 private:
  std::map<std::string, double> update(double learning_rate) override;
  std::vector<std::string> plan_lines() const override;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace grpo
