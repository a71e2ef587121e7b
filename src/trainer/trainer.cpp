#include "grpo/trainer/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <optional>
#include <span>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/core/memory.h"
#include "grpo/core/progress.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/data_parallel.h"
#include "grpo/policy/evaluation.h"
#include "objective/trained_models.h"
#include "ops/ops.h"
#include "run/checkpoint.h"
#include "run/checkpoint_writer.h"
#include "run/disk_plan.h"
#include "run/run_folder.h"
#include "run/run_lock.h"
#include "trainer/data_order.h"
#include "trainer/gradient_step.h"
#include "trainer/identity.h"
#include "trainer/key_figures.h"
#include "trainer/stopwatch.h"

namespace grpo {
namespace {

/// Whether the exception that is being handled says that a signal cut work short.
bool was_interrupted() {
  try {
    throw;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kInterrupted;
  } catch (...) {
    return false;
  }
}

/// The exception that is being handled, as an Error that says in which optimiser step it was thrown.
[[noreturn]] void rethrow_from_step(int64_t step) {
  try {
    rethrow_as_error("train");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    throw Error(std::string(error.what()) + " (optimiser step " + std::to_string(step) + ")", error.kind());
  }
}

}  // namespace

Trainer::Trainer(const Config& config, TrainerParts parts, const Registry& registry, Command command)
    : communicator_(std::move(parts.communicator)), config_(config), registry_(registry) {
  validate(config_, command);
  check_parts(config_, registry_);
  check_step_size(config_, command, communicator_ ? communicator_->world_size() : 1);
  for (size_t i = 0; i < config_.algorithm.advantage.reward_weights.size(); ++i)
    config_.reward[i].weight = config_.algorithm.advantage.reward_weights[i];
  if (const auto estimator = estimator_of(config_.algorithm.objective)) config_.algorithm.advantage.advantage_estimator = *estimator;
  // before weights and threads are there: isolated rewards are forked now
  if (command == Command::kTrain) rewards_ = make_rewards(config_.reward, registry_.rewards);
  if (!parts.eval_dataset.empty() || has_source(config_.eval.data)) eval_rewards_ = make_rewards(config_.reward, registry_.rewards);
  keep_freed_memory();
  problems_ = parts.dataset.empty() ? load_source(config_.data.train, registry_.tasks, registry_.readers) : std::move(parts.dataset);
  if (!parts.eval_dataset.empty()) {
    eval_problems_ = std::move(parts.eval_dataset);
  } else if (has_source(config_.eval.data)) {
    eval_problems_ = load_source(config_.eval.data, registry_.tasks, registry_.readers);
  }
  if (!eval_problems_.empty()) check_disjoint(problems_, eval_problems_);
  policy_ = std::make_unique<Policy>(parts.model
                                         ? make_policy(parts.model, parts.tokenizer ? parts.tokenizer : load_tokenizer(config_.model.path))
                                         : load_policy(config_.model, static_cast<uint64_t>(config_.trainer.seed), registry_.families));
  if (!communicator_) communicator_ = single_process(policy_->model->device());
  fingerprint_ = fingerprint_of(config_, *policy_, problems_, eval_problems_, *communicator_);
  expect_equal_ranks(*communicator_, fingerprint_);
  broadcast_weights(*policy_->model, *communicator_);
  models_ = std::make_unique<TrainedModels>(TrainedModel{.name = "policy", .arenas = policy_->model->trainable(), .optim = config_.optim},
                                            registry_.optimizers, registry_.schedules);
}

Trainer::~Trainer() = default;

Transformer& Trainer::model() { return *policy_->model; }
const Tokenizer& Trainer::tokenizer() const { return *policy_->tokenizer; }

void Trainer::plan_steps(int64_t items, int64_t updates) {
  const auto problems = static_cast<int64_t>(problems_.size());
  order_ = std::make_unique<DataOrder>(problems, config_.data.shuffle_dataset, static_cast<uint64_t>(config_.trainer.seed));
  total_steps_ = config_.trainer.max_steps;
  if (total_steps_ > 0) return;
  const double rounds = std::ceil(config_.trainer.num_train_epochs * static_cast<double>(problems) / static_cast<double>(items));
  constexpr double kMost = 9007199254740992.0;  // 2^53
  if (!(rounds * static_cast<double>(updates) <= kMost))
    fail_usage("config", "trainer.num_train_epochs: expected at most 2^53 optimiser steps in all; got more");
  total_steps_ = static_cast<int64_t>(rounds) * updates;
}

std::vector<int64_t> Trainer::next_items(int64_t count) { return order_->next(count); }

Metrics Trainer::learn(std::span<const PackedTokens> micro_batches, const std::function<LossOutput(const TokenOutputs&, size_t)>& loss) {
  GradientStep step(*policy_->model, *models_, *communicator_);
  for (size_t i = 0; i < micro_batches.size(); ++i)
    step.pass(*policy_->model, micro_batches[i], backward_options(), [&](const TokenOutputs& outputs) { return loss(outputs, i); });
  return apply(step);
}

BackwardOptions Trainer::backward_options() const {
  return {.recompute = static_cast<Recompute>(config_.trainer.recompute),
          .activation_budget = static_cast<int64_t>(config_.trainer.activation_gib * (int64_t{1} << 30))};
}

void Trainer::adopt(std::vector<TrainedModel> models) { models_->add(std::move(models), *communicator_); }

Metrics Trainer::apply(GradientStep& step, bool moves_policy) { return step.apply(steps_done_, total_steps_, moves_policy); }

void Trainer::log_completions(std::vector<std::string> json_lines) {
  if (communicator_->is_main()) pending_completions_ = std::move(json_lines);
}

bool Trainer::any_rank(bool mine) {
  double said = mine ? 1.0 : 0.0;
  communicator_->all_reduce(std::span(&said, 1), Reduction::kMax);
  return said > 0.0;
}

void Trainer::on_main(const std::function<void()>& action) {
  std::exception_ptr failure;
  try {
    if (communicator_->is_main()) action();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!any_rank(failure != nullptr)) return;
  if (failure) std::rethrow_exception(failure);
  fail("train", "rank 0 cannot go on, and says why");
}

bool Trainer::finished() {
  const double limit = config_.trainer.max_seconds;
  const auto tokens = static_cast<double>(config_.trainer.max_num_tokens);
  return steps_done_ >= total_steps_ || (limit > 0.0 && any_rank(train_seconds_ >= limit)) || (tokens > 0.0 && tokens_seen_ >= tokens);
}

std::optional<TrainReport> Trainer::step() {
  auto report = next_step();
  if (report) call_back(*report);
  return report;
}

void Trainer::call_back(const TrainReport& report) try {
  if (on_step_) on_step_(report);
} catch (...) {
  rethrow_as_error("on_step");
}

std::optional<TrainReport> Trainer::next_step() {
  if (finished()) return std::nullopt;
  const double begin = now_seconds();
  TrainReport report;
  try {
    report.metrics = update();
  } catch (...) {
    rethrow_from_step(steps_done_ + 1);
  }
  const double seconds = now_seconds() - begin;
  train_seconds_ += seconds;
  report.step = ++steps_done_;
  report.metrics["step_time"] = seconds;
  report.metrics["num_tokens"] = tokens_seen_;
  report.metrics["epoch"] = order_->epochs();
  return report;
}

bool Trainer::train() try {
  const InterruptGuard guard(config_.trainer.on_signal, "nothing was saved yet");
  try {
    return run();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInterrupted) throw;
  }
  return stopped();
} catch (...) {
  rethrow_as_error("train");
}

void Trainer::lock_run() {
  on_main([this] {
    if (!lock_) lock_ = std::make_unique<RunLock>(config_.trainer.output_dir);
  });
}

bool Trainer::run() {
  lock_run();
  on_main([this] {
    if (!folder_) open_folder(std::nullopt);
    if (const auto free = free_bytes(config_.trainer.output_dir)) expect_room(disk_plan(), config_.trainer.output_dir, *free);
  });
  saved_at_ = now_seconds();
  if (steps_done_ == 0 && config_.eval.at_start) {
    if (!record_evaluation()) return stopped();
  } else if (resumed_ && evaluation_due() && !record_evaluation()) {  // its checkpoint was saved before it, and then it was cut short
    return stopped();
  }
  {
    ProgressOptions options;
    options.initial = steps_done_;
    KeyFigures figures(tokens_seen_);
    std::optional<Progress> progress;
    if (communicator_->is_main()) progress.emplace("train", total_steps_, options);
    while (const auto report = step_or_save()) {
      if (checkpoints_) checkpoints_->check();
      if (progress) progress->update(report->step, figures.after(report->metrics));
      if (checkpoint_due()) save_checkpoint();
      if (any_rank(interrupt_requested())) return stopped();
      if (evaluation_due() && !record_evaluation()) return stopped();
    }
  }
  save_checkpoint();
  write_pending();
  if (communicator_->is_main()) save_final();
  wait_for_checkpoint();
  communicator_->barrier();
  return !config_.eval.at_end || record_evaluation();
}

bool Trainer::stopped() {
  if (steps_done_ > 0) save_checkpoint();
  write_pending();
  wait_for_checkpoint();
  log_warn("interrupted " + (steps_done_ > 0 ? "after step " + std::to_string(steps_done_) : std::string("before the first step")) +
           "; the run can be resumed");
  return false;
}

std::optional<TrainReport> Trainer::step_or_save() {
  const TrainerState before = state();
  const int64_t weights = models_->version();
  try {
    auto report = next_step();
    if (report) record(*report);
    if (report) call_back(*report);
    return report;
  } catch (...) {
    save_after_failure(before, weights, was_interrupted());
    throw;
  }
}

void Trainer::save_after_failure(const TrainerState& before, int64_t weights, bool interrupted) {
  const bool whole = steps_done_ == before.steps_done + 1;  // what failed came after the step
  if (!whole && models_->version() != weights) return;      // some weights moved, others did not: earlier checkpoints stand
  if (!whole) {
    restore(before);
    roll_back();
  }
  if (interrupted) return;  // an interrupted run saves when all ranks have stopped
  if (save_now()) log_warn("the state after step " + std::to_string(steps_done_) + " was saved; a resumed run goes on from it");
}

bool Trainer::save_now() {
  if (steps_done_ == 0 || !communicator_->is_main()) return false;
  write_state(state());
  wait_for_checkpoint();
  return true;
}

void Trainer::record(const TrainReport& report) {
  if (!communicator_->is_main()) return;
  constexpr std::array kLast = {"num_tokens", "epoch", "learning_rate"};  // the last one counts, not the mean
  for (const auto& [name, value] : report.metrics) {
    auto& [sum, count] = pending_metrics_[name];
    const bool last = std::ranges::find(kLast, name) != kLast.end();
    const bool whole = last || name.find("/verdicts/") != std::string::npos;  // counts add up: a kind is not given in every step
    sum = last ? value : sum + value;
    count = whole ? 1 : count + 1;
  }
  if (stood_still_ > 0.0) {
    auto& [sum, count] = pending_metrics_["time/checkpoint"];
    sum += std::exchange(stood_still_, 0.0);
    ++count;
  }
  if (due(config_.trainer.logging_steps)) write_pending();
}

void Trainer::write_pending() {
  if (!communicator_->is_main()) return;
  Metrics means;
  for (const auto& [name, entry] : pending_metrics_) means[name] = entry.first / static_cast<double>(entry.second);
  if (!means.empty()) folder_->metrics(steps_done_, means);
  for (const auto& line : pending_completions_) folder_->completion(line);
  folder_->verdicts(verdicts());
  pending_metrics_.clear();
  pending_completions_.clear();
}

Metrics Trainer::evaluate() try {
  RolloutEngine engine(*policy_->model, engine_options(config_.rollout));
  EvaluationOptions options{.sampling = config_.rollout.sampling,
                            .prompt = config_.data.prompt,
                            .seed = static_cast<uint64_t>(config_.eval.seed),
                            .on_sample = {},
                            .context = {},
                            .communicator = communicator_};
  options.context.interrupted = [] { return abandon_requested(); };
  options.sampling.num_generations = config_.eval.num_generations_eval;
  options.sampling.temperature = config_.eval.temperature;
  if (config_.eval.max_completion_length > 0) options.sampling.max_completion_length = config_.eval.max_completion_length;
  auto result = grpo::evaluate(*policy_, engine, eval_problems_, eval_rewards_, options);
  if (config_.eval.greedy) {
    options.sampling.temperature = 0.0;
    options.sampling.num_generations = 1;
    for (const auto& [name, value] : grpo::evaluate(*policy_, engine, eval_problems_, eval_rewards_, options))
      result[name + "_greedy"] = value;
  }
  return result;
} catch (...) {
  rethrow_as_error("evaluate");
}

bool Trainer::record_evaluation() {
  const double begin = now_seconds();
  Metrics prefixed;
  try {
    for (const auto& [name, value] : evaluate()) prefixed["eval_" + name] = value;
  } catch (...) {
    if (!was_interrupted()) save_now();
    throw;
  }
  prefixed["eval_seconds"] = now_seconds() - begin;
  log_evaluation(prefixed);
  evaluated_step_ = steps_done_;
  return !any_rank(interrupt_requested());
}

void Trainer::log_evaluation(const Metrics& prefixed) {
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

}  // namespace grpo
