#include "objective/trained_models.h"

#include <c10/core/GradMode.h>

#include <cmath>

#include "grpo/core/error.h"
#include "grpo/policy/data_parallel.h"
#include "ops/ops.h"
#include "run/checkpoint.h"

namespace grpo {

TrainedModels::TrainedModels(TrainedModel policy, const OptimizerRegistry& optimizers, const ScheduleRegistry& schedules)
    : makes_optimizers_(optimizers), makes_schedules_(schedules) {
  add(std::move(policy));
}

void TrainedModels::add(TrainedModel model) {
  const auto& c = model.optim;
  optimizers_.push_back(c ? makes_optimizers_.make(c->optimizer, c->optimizer_options, {model.arenas, *c}) : nullptr);
  schedules_.push_back(c ? makes_schedules_.make(c->lr_scheduler_type, c->lr_scheduler_kwargs) : nullptr);
  models_.push_back(std::move(model));
}

void TrainedModels::add(std::vector<TrainedModel> models, Communicator& communicator) {
  for (TrainedModel& model : models) {
    for (auto* arena : model.arenas) {
      if (communicator.world_size() == 1) break;
      at::Tensor flat = arena->flat(), there = flat.to(communicator.device());  // weights may wait on the host
      communicator.broadcast(there);
      if (!there.is_same(flat)) flat.copy_(there);
      arena->mark_written();
    }
    add(std::move(model));
  }
}

std::vector<ParameterArena*> TrainedModels::arenas() const {
  std::vector<ParameterArena*> all;
  for (const auto& model : models_) all.insert(all.end(), model.arenas.begin(), model.arenas.end());
  return all;
}

int64_t TrainedModels::version() const {
  int64_t sum = 0;
  for (const auto* arena : arenas()) sum += arena->version();
  return sum;
}

void TrainedModels::expect_finite(int64_t step) const {
  for (const auto* arena : arenas()) {
    GRPO_CHECK(std::isfinite(ops::sum_of_squares({arena->flat()})), "train",
               "weights of " + arena->name() + " are not finite after step " + std::to_string(step) +
                   "; nothing is saved, earlier checkpoints stand. A lower learning rate or max_grad_norm may help");
  }
}

void TrainedModels::zero_grad() {
  for (const auto& optimizer : optimizers_) {
    if (optimizer) optimizer->zero_grad();
  }
}

void TrainedModels::sum_gradients(Communicator& communicator) {
  for (const auto& model : models_) {
    if (model.optim) grpo::sum_gradients(model.arenas, communicator);
  }
}

Metrics TrainedModels::update(int64_t step, int64_t total_steps, bool policy) {
  Metrics metrics;
  for (size_t i = models_.size(); i-- > 0;) {  // the policy last
    if (!optimizers_[i] || (i == 0 && !policy)) continue;
    const double learning_rate = scheduled_learning_rate(*models_[i].optim, *schedules_[i], step, total_steps);
    const UpdateReport report = optimizers_[i]->step(learning_rate);
    if (!report.applied) {
      fail("train", "a gradient of the " + models_[i].name + " in step " + std::to_string(step + 1) +
                        " is not finite; its weights keep the values of step " + std::to_string(step) +
                        ". A lower learning rate or max_grad_norm may help");
    }
    const std::string prefix = i == 0 ? "" : models_[i].name + "/";
    metrics[prefix + "grad_norm"] = report.grad_norm;
    metrics[prefix + "learning_rate"] = learning_rate;
  }
  return metrics;
}

void TrainedModels::release_gradients() {
  for (auto* arena : models_.front().arenas) arena->release_grad();
}

void TrainedModels::save(const std::filesystem::path& folder) const {
  for (size_t i = 1; i < models_.size(); ++i) {
    ArenaEntries entries;
    for (size_t a = 0; a < models_[i].arenas.size(); ++a) entries.add(a, "weights", models_[i].arenas[a]->flat());
    if (optimizers_[i]) entries.add_buffers(*optimizers_[i]);
    const int64_t steps = optimizers_[i] ? optimizers_[i]->steps_done() : 0;
    write_safetensors(folder / (models_[i].name + ".safetensors"), entries.get(), {{"optimizer_steps", std::to_string(steps)}});
  }
}

Safetensors TrainedModels::checked_file(const std::filesystem::path& folder, size_t model) const {
  const auto path = folder / (models_[model].name + ".safetensors");
  GRPO_CHECK(std::filesystem::exists(path), "checkpoint", "expected " + path.string() + ", as the objective has a " + models_[model].name);
  auto file = Safetensors::open(path);
  for (size_t a = 0; a < models_[model].arenas.size(); ++a) check_arena(file, a, "weights", models_[model].arenas[a]->flat());
  if (optimizers_[model]) check_buffers(file, *optimizers_[model]);
  return file;
}

void TrainedModels::check(const std::filesystem::path& folder) const {
  for (size_t i = 1; i < models_.size(); ++i) checked_file(folder, i);
}

void TrainedModels::load(const std::filesystem::path& folder) {
  const c10::NoGradGuard no_grad;
  for (size_t i = 1; i < models_.size(); ++i) {
    const auto file = checked_file(folder, i);
    for (size_t a = 0; a < models_[i].arenas.size(); ++a) read_arena(file, a, "weights", models_[i].arenas[a]->flat());
    if (optimizers_[i]) read_buffers(file, std::stoll(file.metadata().at("optimizer_steps")), *optimizers_[i]);
  }
}

int64_t TrainedModels::checkpoint_bytes() const {
  constexpr int64_t kFloatBytes = 4;
  int64_t values = 0;
  for (size_t i = 0; i < models_.size(); ++i) {
    for (const auto* arena : models_[i].arenas) values += arena->numel();
    if (!optimizers_[i]) continue;
    for (const auto& buffer : optimizers_[i]->buffers()) values += buffer.values.numel();
  }
  return values * kFloatBytes;
}

}  // namespace grpo
