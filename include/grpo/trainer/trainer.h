#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/metrics.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/registry.h"

// not public
namespace grpo {

class CheckpointWriter;
class DataOrder;
class GradientStep;
class RunFolder;
class RunLock;
class TrainedModels;
struct Change;
struct DiskPlan;
struct Resumed;
struct TrainerState;

}  // namespace grpo

namespace GRPO_API grpo {

class Communicator;
class ConfigVisitor;
class Tokenizer;
class Transformer;
struct BackwardOptions;
struct LossOutput;
struct PackedTokens;
struct Policy;
struct TokenOutputs;
struct TrainedModel;

/// What an application brings itself; what is left out comes from the config.
struct TrainerParts {
  std::shared_ptr<Transformer> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<Problem> dataset;
  std::vector<Problem> eval_dataset;
  std::shared_ptr<Communicator> communicator;  // of several processes that train together; none: this one alone
};

/// One optimiser step's figures, under TRL's names.
struct TrainReport {
  int64_t step = 0;  // optimiser steps done, this one included
  Metrics metrics;
};

/// How a run is gone on with.
struct ResumeOptions {
  std::string checkpoint = {};  // such as "checkpoint-400"; empty: the newest
  /// Settings that make the run what it is and may differ all the same ("data.system_prompt", or "data" for all of that section).
  std::vector<std::string> allow_changed = {};
};

/// The loop that every kind of training shares: steps, metrics, evaluation, checkpoints, resume, interruption. A training of your own
/// derives from it, calls `plan_steps` in its constructor and overrides `update` and `plan_lines`: examples/own_trainer.cpp.
///
/// A run folder holds config.json (resolved), metrics.jsonl, completions.jsonl, verdicts.json, TensorBoard events, checkpoint-N folders
/// (each a Hugging Face folder with the optimiser beside it) and, at the end, `model`.
///
/// Several ranks train data parallel: each holds the whole model, samples a share of the problems and trains on a share of each step's
/// sequences; gradients are summed over ranks. Samples, metrics and decisions are the same on all ranks, and rank 0 alone writes the run
/// folder, which all of them can read. Every rank makes the same calls.
///
/// All that is thrown is an Error; what a reward, a loss or a callback threw is named in it, and the step.
class Trainer {
 public:
  virtual ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Runs to the end, or to a signal to stop (see InterruptGuard): then a checkpoint is written and false is returned. Throws before the
  /// first step if the disk has no room for the checkpoints and the final model.
  bool train();
  /// One optimiser step; nothing when training is complete. Throws when a loss or gradient is not finite: weights keep their last good
  /// values.
  std::optional<TrainReport> step();
  /// Continues from the newest checkpoint of the run folder, or from the one that `options` names; later ones are then given other names.
  /// If there is none yet, the run begins anew, what an earlier one has logged is moved aside, and the answer is false. Throws if the
  /// checkpoint is damaged, and says which one is whole; one of an earlier version, which cannot be verified, must be named. Throws a usage
  /// error that shows both values if the seed, the data, the model, the objective or the reference are others than the run's; other
  /// settings that changed are logged, one line each, and kept in changes.jsonl.
  bool resume(const ResumeOptions& options = {});
  /// Evaluates on the evaluation problems: accuracy and the like by name, without a prefix.
  Metrics evaluate();
  /// Called after each step.
  void on_step(std::function<void(const TrainReport&)> callback) { on_step_ = std::move(callback); }

  int64_t steps_done() const { return steps_done_; }
  int64_t total_steps() const { return total_steps_; }
  /// Seconds spent in steps, evaluation and saving excluded.
  double train_seconds() const { return train_seconds_; }
  Transformer& model();
  const Tokenizer& tokenizer() const;
  const Config& config() const { return config_; }

  /// The plan: steps, tokens and memory, one line each.
  std::vector<std::string> plan() const;

 protected:
  Trainer(const Config& config, TrainerParts parts, const Registry& registry, Command command);

  /// One optimiser step; returns its metrics. If it throws, `roll_back` is called.
  virtual Metrics update() = 0;
  /// Everything that `update` changes beside weights, the data's order and the counters below becomes what it was before `update`.
  virtual void roll_back() {}
  /// What a checkpoint must keep beside weights, moments, the data's order and the counters below, and in files of its own in its folder.
  virtual void describe_state(ConfigVisitor& /*visitor*/) {}
  virtual void save_files(const std::string& /*folder*/) const {}
  virtual void load_files(const std::string& /*folder*/) {}
  /// What verdicts.json says after the last step, with the figures of that step; empty: there is no such file.
  virtual std::string verdicts() const { return {}; }
  /// Further lines of the plan.
  virtual std::vector<std::string> plan_lines() const = 0;

  /// Takes over what is trained or kept beside the policy: its updates, checkpoints and sums over ranks.
  void adopt(std::vector<TrainedModel> models);
  /// Fixes the data's order and the number of steps: if max_steps does not say, epochs of the data at so many items a rollout or batch,
  /// each of which feeds `updates` steps. To be called once `problems_` are those that are trained on.
  void plan_steps(int64_t items, int64_t updates = 1);
  /// The places in `problems_` of the next so many, in the data's order; every rank gets the same.
  std::vector<int64_t> next_items(int64_t count);
  /// A whole optimiser step: gradients from zero, a forward and backward pass of the policy over each of this rank's micro-batches, sums
  /// over ranks, an update. `loss` gets a micro-batch's outputs and its number; the losses of all ranks add up to the step's. Gives the
  /// loss, the losses' figures, grad_norm and learning_rate.
  Metrics learn(std::span<const PackedTokens> micro_batches, const std::function<LossOutput(const TokenOutputs&, size_t)>& loss);
  /// Recomputation and memory as the config says.
  BackwardOptions backward_options() const;
  /// The figures of a step that ends here: gradients are summed, weights move. The policy moves only if `moves_policy` says so.
  Metrics apply(GradientStep& step, bool moves_policy = true);
  /// Sample completions, written with the next metrics line; they take the place of earlier ones that wait for it.
  void log_completions(std::vector<std::string> json_lines);

  std::shared_ptr<Communicator> communicator_;
  Config config_;
  Registry registry_;
  std::unique_ptr<Policy> policy_;
  RewardSet rewards_, eval_rewards_;  // of `grpo train`, and for evaluation if there are problems for it
  std::vector<Problem> problems_, eval_problems_;
  std::unique_ptr<TrainedModels> models_;  // the policy first
  std::unique_ptr<DataOrder> order_;
  int64_t total_steps_ = 0;
  int64_t steps_done_ = 0;
  int64_t rollouts_done_ = 0;  // prepared for training
  double tokens_seen_ = 0;

 private:
  /// `train` under its guard; throws an Error of kind kInterrupted if work was abandoned.
  bool run();
  void lock_run();
  bool finished();
  void record(const TrainReport& report);
  /// Writes the line of the figures that wait, if any do.
  void write_pending();
  std::optional<TrainReport> next_step();
  void call_back(const TrainReport& report);
  /// A step, its record and the callback; if one of them throws, the last good state is saved first.
  std::optional<TrainReport> step_or_save();
  void save_after_failure(const TrainerState& before, int64_t weights, bool interrupted);
  bool evaluation_due() const { return due(config_.eval.eval_steps) && steps_done_ < total_steps_ && evaluated_step_ != steps_done_; }
  /// False if the run was asked to stop meanwhile. If an evaluation fails, the state is saved before that is reported.
  bool record_evaluation();
  void log_evaluation(const Metrics& prefixed);
  /// Saves, and says how to go on; false.
  bool stopped();
  TrainerState state() const;
  void restore(const TrainerState& state);
  bool checkpoint_due();
  void save_checkpoint();
  std::vector<Change> changes_since(const std::filesystem::path& checkpoint, const std::vector<std::string>& allowed) const;
  void note_changes(const std::vector<Change>& changes);
  /// Nothing if the last one had the same state.
  void write_state(const TrainerState& state);
  /// On rank 0, without the others: saves what there is to save, and waits until it is there. Whether there was something.
  bool save_now();
  /// Until the checkpoint under way is in its place.
  void wait_for_checkpoint();
  DiskPlan disk_plan() const;
  void open_folder(const std::optional<Resumed>& from);
  void save_final();
  /// Whether any rank says so: for decisions that clocks and signals make.
  bool any_rank(bool mine);
  /// Does it on rank 0 alone; if it throws there, every rank throws.
  void on_main(const std::function<void()>& action);
  bool due(int64_t every) const { return every > 0 && steps_done_ % every == 0; }

  std::map<std::string, std::string> fingerprint_;  // what the run is made of
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<RunFolder> folder_;
  std::unique_ptr<CheckpointWriter> checkpoints_;
  std::unique_ptr<TrainerState> saved_;  // what the last checkpoint has
  std::function<void(const TrainReport&)> on_step_;
  std::vector<std::string> pending_completions_;
  std::map<std::string, std::pair<double, int64_t>> pending_metrics_;  // sums and counts since the last line
  double train_seconds_ = 0;
  double saved_at_ = 0;     // when the last checkpoint was begun
  double stood_still_ = 0;  // seconds for it
  int64_t evaluated_step_ = -1;
  int64_t saved_weights_ = 0;  // the version of the weights in the last checkpoint
  int64_t saved_step_ = 0;     // of the last checkpoint
  bool resumed_ = false;
};

}  // namespace grpo
