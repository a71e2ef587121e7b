#include "trainer/side_models.h"

#include <c10/core/GradMode.h>

#include "grpo/core/error.h"
#include "trainer/checkpoint.h"

namespace grpo {

SideModels::SideModels(std::vector<SideModel> models) : models_(std::move(models)) {
  for (const auto& model : models_) {
    optimizers_.push_back(model.optim == nullptr ? nullptr : std::make_unique<AdamW>(model.arenas, *model.optim));
  }
}

int64_t SideModels::version() const {
  int64_t sum = 0;
  for (const auto& model : models_) {
    for (const auto* arena : model.arenas) sum += arena->version();
  }
  return sum;
}

void SideModels::zero_grad() {
  for (const auto& optimizer : optimizers_) {
    if (optimizer) optimizer->zero_grad();
  }
}

void SideModels::sum_gradients(Communicator& communicator) {
  for (const auto& model : models_) {
    if (model.optim == nullptr) continue;
    for (auto* arena : model.arenas) communicator.all_reduce(arena->flat_grad());
  }
}

void SideModels::broadcast(Communicator& communicator) {
  if (communicator.world_size() == 1) return;
  for (const auto& model : models_) {
    for (auto* arena : model.arenas) {
      at::Tensor flat = arena->flat(), there = flat.to(communicator.device());  // weights may wait on the host
      communicator.broadcast(there);
      if (!there.is_same(flat)) flat.copy_(there);
      arena->mark_written();
    }
  }
}

void SideModels::update(int64_t step, int64_t total_steps, std::map<std::string, double>& metrics) {
  for (size_t i = 0; i < models_.size(); ++i) {
    if (!optimizers_[i]) continue;
    const double learning_rate = scheduled_learning_rate(*models_[i].optim, step, total_steps);
    const UpdateReport report = optimizers_[i]->step(learning_rate);
    if (!report.applied) {
      fail("train", "a gradient of the " + models_[i].name + " in step " + std::to_string(step + 1) +
                        " is not finite. A lower learning rate or max_grad_norm may help");
    }
    metrics[models_[i].name + "/grad_norm"] = report.grad_norm;
    metrics[models_[i].name + "/learning_rate"] = learning_rate;
  }
}

void SideModels::save(const std::filesystem::path& folder) const {
  for (size_t i = 0; i < models_.size(); ++i) {
    ArenaEntries entries;
    for (size_t a = 0; a < models_[i].arenas.size(); ++a) entries.add(a, "weights", models_[i].arenas[a]->flat());
    if (optimizers_[i]) entries.add_moments(*optimizers_[i]);
    const int64_t steps = optimizers_[i] ? optimizers_[i]->steps_done() : 0;
    write_safetensors(folder / (models_[i].name + ".safetensors"), entries.get(), {{"optimizer_steps", std::to_string(steps)}});
  }
}

void SideModels::load(const std::filesystem::path& folder) {
  const c10::NoGradGuard no_grad;
  for (size_t i = 0; i < models_.size(); ++i) {
    const auto path = folder / (models_[i].name + ".safetensors");
    GRPO_CHECK(std::filesystem::exists(path), "checkpoint", "expected " + path.string() + ", as the objective has a " + models_[i].name);
    const auto file = Safetensors::open(path);
    for (size_t a = 0; a < models_[i].arenas.size(); ++a) {
      at::Tensor flat = models_[i].arenas[a]->flat();
      flat.copy_(read_arena(file, a, "weights", flat));
    }
    if (optimizers_[i]) optimizers_[i]->restore(std::stoll(file.metadata().at("optimizer_steps")), read_moments(file, *optimizers_[i]));
  }
}

}  // namespace grpo
