#include "grpo/optim/adamw.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "grpo/core/error.h"
#include "ops/ops.h"

namespace grpo {

AdamW::AdamW(std::vector<ParameterArena*> arenas, const OptimConfig& config) : arenas_(std::move(arenas)), config_(config) {
  const c10::NoGradGuard no_grad;
  for (const auto* arena : arenas_) {
    const at::Tensor& weights = arena->flat();
    const auto floats = weights.options().dtype(at::kFloat);
    const bool rounded = weights.scalar_type() != at::kFloat;
    moments_.push_back(
        {at::zeros(weights.sizes(), floats), at::zeros(weights.sizes(), floats), rounded ? weights.to(at::kFloat) : at::Tensor()});
  }
}

void AdamW::zero_grad() {
  for (auto* arena : arenas_) arena->zero_grad();
}

UpdateReport AdamW::step(double learning_rate) try {
  std::vector<at::Tensor> gradients;
  for (auto* arena : arenas_) gradients.push_back(arena->flat_grad());
  const double sum = ops::sum_of_squares(gradients);
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
    const Moments& kept = moments_[i];
    const bool rounded = kept.masters.defined();
    const ops::AdamWBuffers buffers{.masters = rounded ? kept.masters : arenas_[i]->flat(),
                                    .rounded = rounded ? arenas_[i]->flat() : at::Tensor(),
                                    .gradients = gradients[i],
                                    .exp_avg = kept.exp_avg,
                                    .exp_avg_sq = kept.exp_avg_sq};
    for (const auto& slot : arenas_[i]->slots()) {
      update.weight_decay = slot.decay ? static_cast<float>(config_.weight_decay) : 0.0F;
      ops::adamw(buffers, slot.offset, slot.offset + slot.numel(), update);
    }
    arenas_[i]->mark_written();
  }
  return report;
} catch (...) {
  rethrow_as_error("AdamW::step");
}

void AdamW::restore(int64_t steps, const std::vector<Moments>& moments) try {
  GRPO_CHECK(moments.size() == moments_.size(), "AdamW::restore", "expected moments of " + std::to_string(moments_.size()) + " arenas");
  const c10::NoGradGuard no_grad;
  for (size_t i = 0; i < moments.size(); ++i) {
    for (const auto member : {&Moments::exp_avg, &Moments::exp_avg_sq, &Moments::masters}) {
      const at::Tensor &given = moments[i].*member, &mine = moments_[i].*member;
      GRPO_CHECK(given.defined() == mine.defined() && (!mine.defined() || given.numel() == mine.numel()), "AdamW::restore",
                 "expected moments, and masters where weights are not float32, of the arena's size for " + arenas_[i]->name());
      if (mine.defined()) mine.copy_(given);
    }
  }
  steps_ = steps;
} catch (...) {
  rethrow_as_error("AdamW::restore");
}

}  // namespace grpo
