#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpo/trainer/config.h"
#include "grpo/trainer/registry.h"

namespace grpo {

class AdamW;
class Communicator;
class RunFolder;
class SideModels;
struct SideModel;
struct BackwardOptions;
struct LossOutput;
struct PackedTokens;
struct Tally;
struct TokenOutputs;
class Tokenizer;
class Transformer;
struct Policy;

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
  std::map<std::string, double> metrics;
};

struct TrainerState;

/// The loop that every kind of training shares: steps, metrics, evaluation, checkpoints, resume, interruption.
///
/// A run folder holds config.json (resolved), metrics.jsonl, completions.jsonl, TensorBoard events, checkpoint-N folders (each a Hugging
/// Face folder with the optimiser beside it) and, at the end, `model`.
///
/// Several ranks train data parallel: each holds the whole model, samples a share of the problems and trains on a share of each step's
/// sequences; gradients are summed over ranks. Samples, metrics and decisions are the same on all ranks, and rank 0 alone writes the run
/// folder, which all of them can read. Every rank makes the same calls.
class Trainer {
 public:
  virtual ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Runs to the end, or to an interrupt: then a checkpoint is written and false is returned.
  bool train();
  /// One optimiser step; nothing when training is complete. Throws when a loss or gradient is not finite: weights keep their last good
  /// values.
  std::optional<TrainReport> step();
  /// Continues from the newest whole checkpoint of the run folder. Where there is none yet, the run begins anew, what it has logged is cut,
  /// and the answer is false.
  bool resume();
  /// Evaluates on the evaluation problems: accuracy and the like by name, without a prefix.
  std::map<std::string, double> evaluate();
  /// Called after each step.
  void on_step(std::function<void(const TrainReport&)> callback) { on_step_ = std::move(callback); }

  int64_t steps_done() const { return steps_done_; }
  int64_t total_steps() const { return total_steps_; }
  /// Seconds spent in steps, evaluation and saving excluded.
  double train_seconds() const { return train_seconds_; }
  Transformer& model();
  const Tokenizer& tokenizer() const;
  const Config& config() const { return config_; }

  /// The plan, for --dry-run: steps, tokens and memory, one line each.
  std::vector<std::string> plan() const;

 protected:
  Trainer(const Config& config, TrainerParts parts, const Registry& registry, Command command);

  /// One optimiser step; gives its metrics. `learning_rate` is the schedule's.
  virtual std::map<std::string, double> update(double learning_rate) = 0;
  /// Whether the state is all in weights, moments and cursors, so that a checkpoint can be taken.
  virtual bool at_boundary() const { return true; }
  /// Whether a failed step leaves all that a checkpoint keeps beside weights and cursors as it was.
  virtual bool can_save_after_failure() const { return true; }
  /// What a checkpoint must keep beside weights, moments and cursors.
  virtual std::vector<double> objective_state() const { return {}; }
  virtual void restore_objective(const std::vector<double>& /*state*/) {}
  /// And that in files of its own in the checkpoint's folder.
  virtual void save_files(const std::string& /*folder*/) const {}
  virtual void load_files(const std::string& /*folder*/) {}
  /// Tokens that the activations of one micro-batch are for, and further lines of the plan.
  virtual std::vector<std::string> plan_lines() const = 0;

  /// The next `count` items of the endlessly repeated, per epoch shuffled training data, as indices.
  std::vector<int64_t> next_items(int64_t count);
  /// Takes over what the objective has beside the policy: their updates, checkpoints and sums over ranks. To be called once, in the
  /// constructor.
  void adopt(std::vector<SideModel> models);
  /// Optimiser steps where max_steps does not say: epochs of the data at so many items a rollout or batch, each of which feeds `updates`.
  int64_t planned_steps(int64_t items, int64_t updates = 1) const;
  /// Recomputation and memory as the config says.
  BackwardOptions backward_options() const;
  /// Forward and backward of one model; gives its loss, and merges the metrics into `tallies`.
  static double pass(Transformer& model, const PackedTokens& rows, const BackwardOptions& options, std::map<std::string, Tally>& tallies,
                     const std::function<LossOutput(const TokenOutputs&)>& loss_fn);
  /// After the last backward of a step: gradients become their sum over ranks; gives that of `loss`.
  double finish_backward(double loss);
  /// Clips, updates (the side models too; the policy only where `policy` says so), and throws where a gradient was not finite. Adds
  /// grad_norm and learning_rate to `metrics`.
  void apply_update(double learning_rate, std::map<std::string, double>& metrics, bool policy = true);
  /// Sample completions of this step, written with the next metrics line.
  void log_completion(std::string json_line);

  std::shared_ptr<Communicator> communicator_;
  Config config_;
  Registry registry_;
  std::unique_ptr<Policy> policy_;
  std::vector<Problem> problems_, eval_problems_;
  std::unique_ptr<AdamW> optimizer_;
  std::unique_ptr<SideModels> side_models_;  // never null
  int64_t total_steps_ = 0, dataset_size_ = 0;
  int64_t steps_done_ = 0;
  int64_t rollouts_done_ = 0;  // sampling rounds so far: the random key's step
  int64_t items_taken_ = 0;    // position in the endless data
  double tokens_seen_ = 0;

 private:
  /// Shuffles the items for an epoch, once.
  void order_items(int64_t epoch);
  void record(const TrainReport& report);
  /// A step; where it throws, the state that it found is saved first, if weights still are what they were.
  std::optional<TrainReport> step_or_save();
  bool evaluation_due() const { return due(config_.eval.eval_steps) && steps_done_ < total_steps_ && evaluated_step_ != steps_done_; }
  /// False where the run was asked to stop meanwhile. Where an evaluation fails, the state is saved before that is reported.
  bool record_evaluation();
  void log_evaluation(const std::map<std::string, double>& prefixed);
  /// Saves, and says how to go on; false.
  bool stopped();
  TrainerState state() const;
  void save_checkpoint();
  void write_state(const TrainerState& state);
  void save_final();
  /// Whether any rank says so: for decisions that clocks and signals make.
  bool any_rank(bool mine);
  bool due(int64_t every) const { return every > 0 && steps_done_ % every == 0; }

  std::unique_ptr<RunFolder> folder_;
  std::function<void(const TrainReport&)> on_step_;
  std::vector<std::string> pending_completions_;
  std::map<std::string, std::pair<double, int64_t>> pending_metrics_;
  double train_seconds_ = 0;
  std::vector<int64_t> order_;  // of the items in an epoch
  int64_t order_epoch_ = -1;
  int64_t evaluated_step_ = -1;
  bool save_due_ = false, resumed_ = false;
};

}  // namespace grpo
