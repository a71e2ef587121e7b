#include "grpo/optim/adamw.h"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "dispatch.h"
#include "grpo/core/error.h"
#include "train.h"

namespace grpo {

AdamW::AdamW(std::vector<ParameterArena*> arenas, const OptimConfig& config, std::function<void()> on_write)
    : arenas_(std::move(arenas)), config_(config), on_write_(std::move(on_write)) {
  const c10::NoGradGuard no_grad;
  for (const auto* arena : arenas_) moments_.push_back({at::zeros_like(arena->flat()), at::zeros_like(arena->flat())});
}

void AdamW::zero_grad() {
  for (auto* arena : arenas_) arena->zero_grad();
}

UpdateReport AdamW::step(double learning_rate) {
  const auto& kernels = *kernels::cpu_kernels().train;
  double sum = 0.0;
  for (auto* arena : arenas_) sum += kernels.sum_of_squares(arena->flat_grad().const_data_ptr<float>(), arena->numel());
  UpdateReport report{.grad_norm = std::sqrt(sum), .applied = std::isfinite(sum)};
  if (!report.applied) return report;

  ++steps_;
  const bool clip = config_.max_grad_norm > 0.0 && report.grad_norm > config_.max_grad_norm;
  kernels::AdamWStep update{.learning_rate = static_cast<float>(learning_rate),
                            .beta1 = static_cast<float>(config_.adam_beta1),
                            .beta2 = static_cast<float>(config_.adam_beta2),
                            .epsilon = static_cast<float>(config_.adam_epsilon),
                            .weight_decay = 0.0F,
                            .bias_correction1 = static_cast<float>(1.0 - std::pow(config_.adam_beta1, static_cast<double>(steps_))),
                            .bias_correction2 = static_cast<float>(1.0 - std::pow(config_.adam_beta2, static_cast<double>(steps_))),
                            .gradient_scale = clip ? static_cast<float>(config_.max_grad_norm / (report.grad_norm + 1e-6)) : 1.0F};
  for (size_t i = 0; i < arenas_.size(); ++i) {
    ParameterArena& arena = *arenas_[i];
    for (const auto& slot : arena.slots()) {
      update.weight_decay = slot.decay ? static_cast<float>(config_.weight_decay) : 0.0F;
      kernels.adamw(static_cast<float*>(arena.flat().data_ptr()), arena.flat_grad().const_data_ptr<float>(),
                    moments_[i].exp_avg.data_ptr<float>(), moments_[i].exp_avg_sq.data_ptr<float>(), slot.offset,
                    slot.offset + slot.numel(), update);
    }
  }
  if (on_write_) on_write_();
  return report;
}

void AdamW::restore(int64_t steps, const std::vector<Moments>& moments) {
  GRPO_CHECK(moments.size() == moments_.size(), "AdamW::restore", "expected moments of " + std::to_string(moments_.size()) + " arenas");
  const c10::NoGradGuard no_grad;
  for (size_t i = 0; i < moments.size(); ++i) {
    GRPO_CHECK(moments[i].exp_avg.numel() == moments_[i].exp_avg.numel() && moments[i].exp_avg_sq.numel() == moments_[i].exp_avg_sq.numel(),
               "AdamW::restore", "expected moments of the arena's size for " + arenas_[i]->name());
    moments_[i].exp_avg.copy_(moments[i].exp_avg);
    moments_[i].exp_avg_sq.copy_(moments[i].exp_avg_sq);
  }
  steps_ = steps;
}

}  // namespace grpo
