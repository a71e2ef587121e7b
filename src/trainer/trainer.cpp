#include "grpo/trainer/trainer.h"

#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/core/memory.h"
#include "grpo/core/progress.h"
#include "grpo/core/random.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/trainer/data_parallel.h"
#include "grpo/trainer/evaluation.h"
#include "ops/ops.h"
#include "trainer/checkpoint.h"
#include "trainer/run_folder.h"
#include "trainer/side_models.h"
#include "trainer/sources.h"

namespace grpo {
namespace {

double now_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string key_figures(const TrainReport& report) {
  std::string text;
  const auto add = [&](const char* name, const char* label) {
    const auto it = report.metrics.find(name);
    if (it == report.metrics.end()) return;
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%s%s %.3g", text.empty() ? "" : "  ", label, it->second);
    text += buffer;
  };
  add("reward", "reward");
  add("rewards/accuracy/mean", "accuracy");
  add("loss", "loss");
  add("completions/mean_length", "length");
  add("grad_norm", "grad");
  return text;
}

}  // namespace

Trainer::Trainer(const Config& config, TrainerParts parts, const Registry& registry, Command command)
    : communicator_(std::move(parts.communicator)), config_(config), registry_(registry) {
  validate(config_, command);
  if (const auto estimator = estimator_of(config_.algorithm.objective)) config_.algorithm.advantage.advantage_estimator = *estimator;
  keep_freed_memory();
  problems_ = parts.dataset.empty() ? load_source(config_.data.train, registry_) : std::move(parts.dataset);
  if (!parts.eval_dataset.empty()) {
    eval_problems_ = std::move(parts.eval_dataset);
  } else if (has_source(config_.eval.data)) {
    eval_problems_ = load_source(config_.eval.data, registry_);
  }
  if (!eval_problems_.empty()) check_disjoint(problems_, eval_problems_);
  policy_ = std::make_unique<Policy>(parts.model
                                         ? make_policy(parts.model, parts.tokenizer ? parts.tokenizer : load_tokenizer(config_.model.path))
                                         : load_policy(config_.model, static_cast<uint64_t>(config_.trainer.seed)));
  if (!communicator_) communicator_ = single_process(policy_->model->device());
  broadcast_weights(*policy_->model, *communicator_);
  optimizer_ = std::make_unique<AdamW>(policy_->model->trainable(), config_.optim);
  adopt({});
  dataset_size_ = static_cast<int64_t>(problems_.size());
}

Trainer::~Trainer() = default;

Transformer& Trainer::model() { return *policy_->model; }
const Tokenizer& Trainer::tokenizer() const { return *policy_->tokenizer; }

std::vector<int64_t> Trainer::next_items(int64_t count) {
  std::vector<int64_t> items;
  for (; count > 0; --count, ++items_taken_) {
    if (items_taken_ / dataset_size_ != order_epoch_) order_items(items_taken_ / dataset_size_);
    items.push_back(order_[static_cast<size_t>(items_taken_ % dataset_size_)]);
  }
  return items;
}

void Trainer::order_items(int64_t epoch) {
  order_epoch_ = epoch;
  order_.resize(static_cast<size_t>(dataset_size_));
  std::iota(order_.begin(), order_.end(), 0);
  Random random(static_cast<uint64_t>(config_.trainer.seed), static_cast<uint64_t>(epoch) + 1);
  for (int64_t i = config_.data.shuffle_dataset ? dataset_size_ - 1 : 0; i > 0; --i) {
    std::swap(order_[static_cast<size_t>(i)], order_[static_cast<size_t>(random.uniform_int(0, i))]);
  }
}

int64_t Trainer::planned_steps(int64_t items, int64_t updates) const {
  if (config_.trainer.max_steps > 0) return config_.trainer.max_steps;
  const double rounds = std::ceil(config_.trainer.num_train_epochs * static_cast<double>(dataset_size_) / static_cast<double>(items));
  constexpr double kMost = 9007199254740992.0;  // 2^53
  if (!(rounds * static_cast<double>(updates) <= kMost))
    fail_usage("config", "trainer.num_train_epochs: expected at most 2^53 optimiser steps in all; got more");
  return static_cast<int64_t>(rounds) * updates;
}

BackwardOptions Trainer::backward_options() const {
  return {.recompute = static_cast<Recompute>(config_.trainer.recompute),
          .activation_budget = static_cast<int64_t>(config_.trainer.activation_gib * (int64_t{1} << 30))};
}

double Trainer::pass(Transformer& model, const PackedTokens& rows, const BackwardOptions& options, Tallies& tallies,
                     const std::function<LossOutput(const TokenOutputs&)>& loss_fn) {
  const auto scalar = [&](const TokenOutputs& outputs) {
    LossOutput out = loss_fn(outputs);
    merge(tallies, out.metrics);
    return out.loss;
  };
  return model.forward_backward(rows, scalar, options).item<double>();
}

void Trainer::adopt(std::vector<SideModel> models) {
  side_models_ = std::make_unique<SideModels>(std::move(models));
  side_models_->broadcast(*communicator_);
}

double Trainer::finish_backward(double loss) {
  sum_gradients(*policy_->model, *communicator_);
  side_models_->sum_gradients(*communicator_);
  communicator_->all_reduce(std::span(&loss, 1));
  return loss;
}

void Trainer::apply_update(double learning_rate, std::map<std::string, double>& metrics, bool policy) {
  const auto loss = metrics.find("loss");
  if (loss != metrics.end() && !std::isfinite(loss->second)) {
    fail("train", "the loss of step " + std::to_string(steps_done_ + 1) + " is not finite; weights keep the values of step " +
                      std::to_string(steps_done_) + ". A lower learning rate or max_grad_norm may help");
  }
  side_models_->update(steps_done_, total_steps_, metrics);
  if (!policy) return;
  const UpdateReport report = optimizer_->step(learning_rate);
  if (!report.applied) {
    fail("train", "a gradient of step " + std::to_string(steps_done_ + 1) + " is not finite; weights keep the values of step " +
                      std::to_string(steps_done_) + ". A lower learning rate or max_grad_norm may help");
  }
  metrics["grad_norm"] = report.grad_norm;
  metrics["learning_rate"] = learning_rate;
}

void Trainer::log_completion(std::string json_line) { pending_completions_.push_back(std::move(json_line)); }

bool Trainer::any_rank(bool mine) {
  double said = mine ? 1.0 : 0.0;
  communicator_->all_reduce(std::span(&said, 1), Reduction::kMax);
  return said > 0.0;
}

std::optional<TrainReport> Trainer::step() {
  const double limit = config_.trainer.max_seconds;
  const auto tokens = static_cast<double>(config_.trainer.max_num_tokens);
  if (steps_done_ >= total_steps_ || (limit > 0.0 && any_rank(train_seconds_ >= limit)) || (tokens > 0.0 && tokens_seen_ >= tokens))
    return std::nullopt;
  const double begin = now_seconds();
  TrainReport report;
  report.metrics = update(scheduled_learning_rate(config_.optim, steps_done_, total_steps_));
  const double seconds = now_seconds() - begin;
  train_seconds_ += seconds;
  report.step = ++steps_done_;
  report.metrics["step_time"] = seconds;
  report.metrics["num_tokens"] = tokens_seen_;
  report.metrics["epoch"] = static_cast<double>(items_taken_) / static_cast<double>(dataset_size_);
  if (on_step_) on_step_(report);
  return report;
}

bool Trainer::train() {
  const InterruptGuard guard;
  if (!folder_ && communicator_->is_main())
    folder_ = std::make_unique<RunFolder>(config_.trainer.output_dir, write_config(config_), nullptr);
  if (steps_done_ == 0 && config_.eval.at_start) {
    record_evaluation();
  } else if (resumed_ && evaluation_due() && !record_evaluation()) {  // its checkpoint was saved before it, and then it was cut short
    return stopped();
  }
  {
    ProgressOptions options;
    options.initial = steps_done_;
    std::optional<Progress> progress;
    if (communicator_->is_main()) progress.emplace("train", total_steps_, options);
    while (const auto report = step_or_save()) {
      record(*report);
      if (progress) progress->update(report->step, key_figures(*report));
      save_due_ = save_due_ || due(config_.trainer.save_steps);
      if (save_due_ && at_boundary()) save_checkpoint();
      if (at_boundary() && any_rank(interrupt_requested())) return stopped();
      if (evaluation_due() && !record_evaluation() && at_boundary()) return stopped();
    }
  }
  save_checkpoint();
  if (communicator_->is_main()) save_final();
  communicator_->barrier();
  return !config_.eval.at_end || record_evaluation();
}

bool Trainer::stopped() {
  save_checkpoint();
  log_warn("interrupted after step " + std::to_string(steps_done_) + "; continue with --resume");
  return false;
}

std::optional<TrainReport> Trainer::step_or_save() {
  const bool whole = at_boundary() && can_save_after_failure();
  const TrainerState good = state();
  const int64_t weights = policy_->model->version() + side_models_->version();
  try {
    return step();
  } catch (...) {
    if (whole && steps_done_ > 0 && communicator_->is_main() && policy_->model->version() + side_models_->version() == weights) {
      write_state(good);
      log_warn("the state after step " + std::to_string(good.steps_done) + " was saved; --resume goes on from it");
    }
    throw;
  }
}

void Trainer::record(const TrainReport& report) {
  if (!communicator_->is_main()) return;
  for (const auto& [name, value] : report.metrics) {
    auto& [sum, count] = pending_metrics_[name];
    sum += value;
    ++count;
  }
  if (!due(config_.trainer.logging_steps) && report.step != total_steps_) return;
  std::map<std::string, double> means;
  for (const auto& [name, entry] : pending_metrics_) means[name] = entry.first / static_cast<double>(entry.second);
  for (const char* last : {"num_tokens", "epoch", "learning_rate"}) {
    if (const auto it = report.metrics.find(last); it != report.metrics.end()) means[last] = it->second;
  }
  folder_->metrics(report.step, means);
  for (const auto& line : pending_completions_) folder_->completion(line);
  pending_metrics_.clear();
  pending_completions_.clear();
}

std::map<std::string, double> Trainer::evaluate() {
  RewardSet rewards = make_rewards(config_.reward, registry_);
  RolloutEngine engine(*policy_->model, engine_options(config_.rollout));
  EvaluationOptions options{.sampling = config_.rollout.sampling,
                            .prompt = config_.data.prompt,
                            .seed = static_cast<uint64_t>(config_.eval.seed),
                            .on_sample = {},
                            .context = {},
                            .communicator = communicator_};
  if (communicator_->world_size() == 1) options.context.interrupted = interrupt_requested;  // ranks stop together, at its end
  options.sampling.num_generations = config_.eval.num_generations_eval;
  options.sampling.temperature = config_.eval.temperature;
  if (config_.eval.max_completion_length > 0) options.sampling.max_completion_length = config_.eval.max_completion_length;
  auto result = grpo::evaluate(*policy_, engine, eval_problems_, rewards, options);
  if (config_.eval.greedy) {
    options.sampling.temperature = 0.0;
    options.sampling.num_generations = 1;
    for (const auto& [name, value] : grpo::evaluate(*policy_, engine, eval_problems_, rewards, options)) result[name + "_greedy"] = value;
  }
  return result;
}

bool Trainer::record_evaluation() {
  const double begin = now_seconds();
  std::map<std::string, double> prefixed;
  try {
    for (const auto& [name, value] : evaluate()) prefixed["eval_" + name] = value;
  } catch (...) {
    if (communicator_->world_size() == 1 && interrupt_requested()) return false;
    if (steps_done_ > 0 && at_boundary() && communicator_->is_main()) write_state(state());
    throw;
  }
  prefixed["eval_seconds"] = now_seconds() - begin;
  log_evaluation(prefixed);
  evaluated_step_ = steps_done_;
  return !any_rank(interrupt_requested());
}

void Trainer::log_evaluation(const std::map<std::string, double>& prefixed) {
  if (!communicator_->is_main()) return;
  folder_->metrics(steps_done_, prefixed);
  std::string text;
  for (const auto& [name, value] : prefixed) {
    char buffer[96];
    std::snprintf(buffer, sizeof buffer, "  %s %.4g", name.c_str(), value);
    text += buffer;
  }
  log_info("evaluation after step " + std::to_string(steps_done_) + ":" + text);
}

void Trainer::save_checkpoint() {
  if (communicator_->is_main()) write_state(state());
  communicator_->barrier();
  save_due_ = false;
}

TrainerState Trainer::state() const {
  return {.steps_done = steps_done_,
          .total_steps = total_steps_,
          .rollouts_done = rollouts_done_,
          .items_taken = items_taken_,
          .optimizer_steps = optimizer_->steps_done(),
          .evaluated_step = evaluated_step_,
          .train_seconds = train_seconds_,
          .tokens_seen = tokens_seen_,
          .objective = objective_state(),
          .logs = folder_ ? folder_->sizes() : LogSizes{}};
}

void Trainer::write_state(const TrainerState& state) {
  auto arenas = policy_->model->trainable();
  for (const auto& model : side_models_->models()) arenas.insert(arenas.end(), model.arenas.begin(), model.arenas.end());
  for (const auto* arena : arenas) {
    GRPO_CHECK(std::isfinite(ops::sum_of_squares({arena->flat()})), "train",
               "weights of " + arena->name() + " are not finite after step " + std::to_string(state.steps_done) +
                   "; nothing is saved, earlier checkpoints stand. A lower learning rate or max_grad_norm may help");
  }
  write_checkpoint(config_.trainer.output_dir, state.steps_done, [&](const std::filesystem::path& folder) {
    save_policy(*policy_, folder.string(), "float32");
    save_trainer_state(folder, state, *optimizer_);
    side_models_->save(folder);
    save_files(folder.string());
  });
  prune_checkpoints(config_.trainer.output_dir, config_.trainer.save_total_limit);
}

void Trainer::save_final() {
  static const char* const names[] = {"float32", "bfloat16", "float16"};
  const auto folder = std::filesystem::path(config_.trainer.output_dir) / "model";
  save_policy(*policy_, folder.string(), names[static_cast<size_t>(config_.trainer.save_dtype)]);
  log_info("saved " + folder.string());
}

bool Trainer::resume() {
  LogSizes logs;
  for (const auto& checkpoint : list_checkpoints(config_.trainer.output_dir)) {
    const TrainerState state = load_checkpoint(checkpoint, *policy_->model, *optimizer_);
    side_models_->load(checkpoint);
    if (state.total_steps != total_steps_) {
      log_warn("the run was planned for " + std::to_string(state.total_steps) + " steps, now for " + std::to_string(total_steps_) +
               ": the learning-rate schedule follows the new plan");
    }
    steps_done_ = state.steps_done;
    rollouts_done_ = state.rollouts_done;
    items_taken_ = state.items_taken;
    train_seconds_ = state.train_seconds;
    tokens_seen_ = state.tokens_seen;
    evaluated_step_ = state.evaluated_step;
    restore_objective(state.objective);
    load_files(checkpoint.string());
    log_info("resumed from " + checkpoint.string());
    logs = state.logs;
    resumed_ = true;
    break;
  }
  if (steps_done_ == 0) log_info("no checkpoint in " + config_.trainer.output_dir + " yet: begins with the first step");
  double steps[] = {static_cast<double>(steps_done_), -static_cast<double>(steps_done_)};
  communicator_->all_reduce(steps, Reduction::kMax);
  GRPO_CHECK(steps[0] == -steps[1], "resume", "expected all ranks to see the checkpoints in " + config_.trainer.output_dir);
  if (communicator_->is_main()) folder_ = std::make_unique<RunFolder>(config_.trainer.output_dir, write_config(config_), &logs);
  return steps_done_ > 0;
}

std::vector<std::string> Trainer::plan() const {
  const int64_t parameters = policy_->model->config().num_parameters();
  int64_t trained = 0, adapters = 0;
  for (const auto* arena : policy_->model->trainable()) trained += arena->numel();
  if (policy_->model->has_adapter()) adapters = trained;
  const auto element = static_cast<int64_t>(c10::elementSize(policy_->model->dtype()));
  const auto mib = [](int64_t bytes) { return std::to_string(bytes / (1 << 20)) + " MiB"; };
  std::vector<std::string> lines = {
      "model: " + std::to_string(parameters) + " parameters (" + policy_->model->config().model_type + ") on " +
          policy_->model->device().str() +
          (adapters > 0 ? ", frozen; LoRA of rank " + std::to_string(policy_->model->lora().rank) + ": " + std::to_string(adapters) : ""),
      "memory: weights " + mib(element * (parameters + adapters)) + ", gradients " + mib(element * trained) +
          (element < 4 ? ", masters " + mib(4 * trained) : "") + ", moments " + mib(8 * trained),
      "data: " + std::to_string(dataset_size_) + " training problems, " + std::to_string(eval_problems_.size()) + " for evaluation",
      "steps: " + std::to_string(total_steps_)};
  for (auto& line : plan_lines()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace grpo
