#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/dist/communicator.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/trainer.h"
#include "objective/trained_models.h"
#include "run/checkpoint.h"
#include "run/checkpoint_choice.h"
#include "run/checkpoint_writer.h"
#include "run/fingerprint.h"
#include "run/run_folder.h"
#include "trainer/data_order.h"
#include "trainer/identity.h"
#include "trainer/stopwatch.h"

// What a run keeps, and how it goes on from there.
namespace grpo {

bool Trainer::checkpoint_due() {
  const double seconds = 60.0 * config_.trainer.save_minutes;
  return due(config_.trainer.save_steps) || (seconds > 0.0 && any_rank(now_seconds() - saved_at_ >= seconds));
}

void Trainer::save_checkpoint() {
  const double begin = now_seconds();
  expect_equal_replicas(*communicator_, *models_, saved_step_, steps_done_);
  saved_step_ = steps_done_;
  if (communicator_->is_main()) write_state(state());
  communicator_->barrier();
  saved_at_ = now_seconds();
  stood_still_ = saved_at_ - begin;
}

void Trainer::wait_for_checkpoint() {
  if (checkpoints_) checkpoints_->wait();
}

TrainerState Trainer::state() const {
  TrainerState state{.steps_done = steps_done_,
                     .total_steps = total_steps_,
                     .rollouts_done = rollouts_done_,
                     .items_taken = order_->taken(),
                     .optimizer_steps = models_->policy_optimizer().steps_done(),
                     .evaluated_step = evaluated_step_,
                     .train_seconds = train_seconds_,
                     .tokens_seen = tokens_seen_,
                     .logs = folder_ ? folder_->sizes() : LogSizes{},
                     .pending_metrics = {},
                     .pending_completions = pending_completions_};
  for (const auto& [name, entry] : pending_metrics_) {
    state.pending_metrics.push_back({.name = name, .sum = {}, .count = entry.second});
    if (std::isfinite(entry.first)) state.pending_metrics.back().sum = entry.first;
  }
  return state;
}

void Trainer::restore(const TrainerState& state) {
  steps_done_ = state.steps_done;
  rollouts_done_ = state.rollouts_done;
  order_->restore(state.items_taken);
  train_seconds_ = state.train_seconds;
  tokens_seen_ = state.tokens_seen;
  evaluated_step_ = state.evaluated_step;
  pending_metrics_.clear();
  for (const auto& figure : state.pending_metrics) pending_metrics_[figure.name] = {figure.sum.value_or(std::nan("")), figure.count};
  pending_completions_ = state.pending_completions;
}

void Trainer::write_state(const TrainerState& state) {
  const int64_t weights = models_->version();
  if (saved_ && saved_weights_ == weights && *saved_ == state) return;
  models_->expect_finite(state.steps_done);
  checkpoints_->begin(state.steps_done, [&](const std::filesystem::path& folder) {
    save_policy(*policy_, folder.string(), "float32", policy_->turn_end_id(problems_.front(), config_.data.prompt));
    save_trainer_state(folder, state, models_->policy_optimizer(), [this](ConfigVisitor& v) { describe_state(v); });
    models_->save(folder);
    save_files(folder.string());
    save_fingerprint(folder, fingerprint_);
  });
  saved_ = std::make_unique<TrainerState>(state);
  saved_weights_ = weights;
  InterruptGuard::say_at_the_end("what came after the newest whole checkpoint is lost");
}

void Trainer::open_folder(const std::optional<Resumed>& from) {
  const TrainerSection& c = config_.trainer;
  folder_ = std::make_unique<RunFolder>(c.output_dir, write_config(config_), from);
  const SinkContext context{.folder = c.output_dir, .resumed_step = from ? std::optional(from->step) : std::nullopt};
  for (const auto& sink : c.report_to) folder_->add(registry_.sinks.make(sink, sink_options(c, sink), context));
  folder_->verdicts(verdicts());
  checkpoints_ = std::make_unique<CheckpointWriter>(c.output_dir, c.save_total_limit);
}

void Trainer::save_final() {
  static const char* const names[] = {"float32", "bfloat16", "float16"};
  const auto folder = std::filesystem::path(config_.trainer.output_dir) / "model";
  save_policy(*policy_, folder.string(), names[static_cast<size_t>(config_.trainer.save_dtype)],
              policy_->turn_end_id(problems_.front(), config_.data.prompt));
  log_info("saved " + folder.string());
}

std::vector<Change> Trainer::changes_since(const std::filesystem::path& checkpoint, const std::vector<std::string>& allowed) const {
  const auto was = load_fingerprint(checkpoint);
  if (was) return accepted_changes(*was, fingerprint_, allowed);
  log_warn(checkpoint.string() + " does not say what its run was made of: settings that changed are not noticed");
  return {};
}

void Trainer::note_changes(const std::vector<Change>& changes) {
  for (const Change& change : changes) log_info("changed since step " + std::to_string(steps_done_) + ": " + to_string(change));
  if (changes.empty() || !communicator_->is_main()) return;
  append_changes(config_.trainer.output_dir, steps_done_, changes);
  const auto count = std::ranges::count_if(changes, [](const Change& change) { return shapes_steps(change.key); });
  if (count > 0) pending_metrics_["changed_settings"] = {static_cast<double>(count), 1};
}

bool Trainer::resume(const ResumeOptions& options) try {
  lock_run();
  const std::string& run = config_.trainer.output_dir;
  const auto chosen = choose_checkpoint(run, options.checkpoint);
  on_main([&] {
    if (chosen) expect_whole(run, *chosen, !options.checkpoint.empty());
  });
  LogSizes logs;
  resumed_ = chosen.has_value();
  if (resumed_) {
    const auto changes = changes_since(*chosen, options.allow_changed);
    models_->check(*chosen);
    const TrainerState state =
        load_checkpoint(*chosen, *policy_->model, models_->policy_optimizer(), [this](ConfigVisitor& v) { describe_state(v); });
    models_->load(*chosen);
    if (state.total_steps != total_steps_) {
      log_warn("the run was planned for " + std::to_string(state.total_steps) + " steps, now for " + std::to_string(total_steps_) +
               ": the learning-rate schedule follows the new plan");
    }
    restore(state);
    saved_step_ = steps_done_;
    load_files(chosen->string());
    note_changes(changes);
    logs = state.logs;
    log_info("resumed from " + chosen->string());
  } else {
    log_info("no checkpoint in " + run + " yet: begins with the first step");
  }
  double steps[] = {static_cast<double>(steps_done_), -static_cast<double>(steps_done_)};
  communicator_->all_reduce(steps, Reduction::kMax);
  GRPO_CHECK(steps[0] == -steps[1], "resume", "expected all ranks to see the checkpoints in " + run);
  if (communicator_->is_main()) {
    if (resumed_) {
      set_later_checkpoints_aside(run, steps_done_);
    } else {
      move_logs_aside(run);
    }
    open_folder(resumed_ ? std::optional(Resumed{.logs = logs, .step = steps_done_}) : std::nullopt);
  }
  return resumed_;
} catch (...) {
  rethrow_as_error("resume");
}

}  // namespace grpo
