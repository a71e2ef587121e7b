#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/trainer/trainer.h"

namespace GRPO_API grpo {

struct Batch;

/// Reinforcement learning with verifiable rewards: sample, score, advantages, pack, update. The objective is a word in the config.
class PolicyTrainer final : public Trainer {
 public:
  explicit PolicyTrainer(const Config& config, TrainerParts parts = {}, const Registry& registry = builtin_registry());
  ~PolicyTrainer() override;

 private:
  Metrics update() override;
  void roll_back() override;
  void describe_state(ConfigVisitor& visitor) override;
  void save_files(const std::string& folder) const override;
  void load_files(const std::string& folder) override;
  std::string verdicts() const override;
  std::vector<std::string> plan_lines() const override;

  /// Samples, scores and prepares a rollout.
  Metrics begin_rollout();
  /// An optimiser step on this rank's share of the next mini-batch.
  Metrics train_on(const Batch& share);

  struct Parts;
  std::unique_ptr<Parts> parts_;
};

using GrpoTrainer = PolicyTrainer;

/// Training on given preference pairs, a problem's columns «chosen» and «rejected»: direct preference optimisation (Command::kDpo), or a
/// Bradley–Terry reward model (Command::kRewardModel), which is saved as a sequence classifier.
class PreferenceTrainer final : public Trainer {
 public:
  PreferenceTrainer(const Config& config, TrainerParts parts, const Registry& registry, Command command);
  ~PreferenceTrainer() override;

 private:
  Metrics update() override;
  std::vector<std::string> plan_lines() const override;
  void learn(GradientStep& step, const Batch& micro, double pairs);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Supervised fine-tuning on completions: packed, the prompt's tokens outside the loss.
class SftTrainer final : public Trainer {
 public:
  explicit SftTrainer(const Config& config, TrainerParts parts = {}, const Registry& registry = builtin_registry());
  ~SftTrainer() override;

 private:
  Metrics update() override;
  std::vector<std::string> plan_lines() const override;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace grpo
