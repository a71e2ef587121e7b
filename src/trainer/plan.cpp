// What a run will take, before it begins.
#include <algorithm>

#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/trainer.h"
#include "objective/trained_models.h"
#include "run/disk_plan.h"
#include "run/manifest.h"
#include "run/run_folder.h"

namespace grpo {
namespace {

int64_t trained_values(Transformer& model) {
  int64_t values = 0;
  for (const auto* arena : model.trainable()) values += arena->numel();
  return values;
}

}  // namespace

DiskPlan Trainer::disk_plan() const {
  const TrainerSection& c = config_.trainer;
  DiskPlan plan{.checkpoint = static_cast<double>(models_->checkpoint_bytes()),
                .checkpoints = 1,  // the last step's
                .limit = c.save_total_limit,
                .present = {},
                .model = 0};
  const bool may_end_earlier = c.max_seconds > 0.0 || c.max_num_tokens > 0;
  if (c.save_steps > 0 && (c.save_total_limit > 0 || !may_end_earlier))
    plan.checkpoints += (total_steps_ - 1) / c.save_steps - steps_done_ / c.save_steps;
  if (c.save_minutes > 0.0) plan.checkpoints = std::max(plan.checkpoints, c.save_total_limit + 1);  // how many, a clock says
  plan.checkpoints = std::max<int64_t>(plan.checkpoints, 1);
  for (const auto& checkpoint : list_checkpoints(c.output_dir)) plan.present.push_back(static_cast<double>(bytes_in(checkpoint)));
  std::ranges::reverse(plan.present);
  const bool half = c.save_dtype != TrainerSection::SaveDType::kFloat32;
  const int64_t adapters = trained_values(*policy_->model), parameters = policy_->model->config().num_parameters();
  plan.model = policy_->model->has_adapter() ? 4.0 * static_cast<double>(adapters) : (half ? 2.0 : 4.0) * static_cast<double>(parameters);
  return plan;
}

std::vector<std::string> Trainer::plan() const {
  const int64_t parameters = policy_->model->config().num_parameters();
  const int64_t trained = trained_values(*policy_->model), adapters = policy_->model->has_adapter() ? trained : 0;
  const auto element = static_cast<int64_t>(c10::elementSize(policy_->model->dtype()));
  const auto mib = [](int64_t bytes) { return std::to_string(bytes / (1 << 20)) + " MiB"; };
  std::vector<std::string> lines = {
      "model: " + std::to_string(parameters) + " parameters (" + policy_->model->config().model_type + ") on " +
          policy_->model->device().str() +
          (adapters > 0 ? ", frozen; LoRA of rank " + std::to_string(policy_->model->lora().rank) + ": " + std::to_string(adapters) : ""),
      "memory: weights " + mib(element * (parameters + adapters)) + ", gradients " + mib(element * trained) +
          (element < 4 ? ", masters " + mib(4 * trained) : "") + ", moments " + mib(8 * trained),
      "data: " + std::to_string(problems_.size()) + " training problems, " + std::to_string(eval_problems_.size()) + " for evaluation",
      "steps: " + std::to_string(total_steps_), disk_line(disk_plan(), config_.trainer.output_dir)};
  for (auto& line : plan_lines()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace grpo
