#include "grpo/optim/adamw.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "grpo/core/error.h"
#include "ops/ops.h"

namespace grpo {

AdamW::AdamW(const OptimizerContext& context) : Optimizer(context) {
  const c10::NoGradGuard no_grad;
  for (const auto* arena : arenas()) {
    const at::Tensor& weights = arena->flat();
    const auto floats = weights.options().dtype(at::kFloat);
    const bool rounded = weights.scalar_type() != at::kFloat;
    moments_.push_back(
        {at::zeros(weights.sizes(), floats), at::zeros(weights.sizes(), floats), rounded ? weights.to(at::kFloat) : at::Tensor()});
  }
}

std::vector<Optimizer::Buffer> AdamW::buffers() const {
  std::vector<Buffer> all;
  for (size_t i = 0; i < moments_.size(); ++i) {
    all.push_back({i, "exp_avg", moments_[i].exp_avg});
    all.push_back({i, "exp_avg_sq", moments_[i].exp_avg_sq});
    if (moments_[i].masters.defined()) all.push_back({i, "master", moments_[i].masters});
  }
  return all;
}

void AdamW::update(double learning_rate, const std::vector<at::Tensor>& gradients, double gradient_scale) {
  const OptimConfig& c = config();
  kernels::AdamWStep now{.learning_rate = static_cast<float>(learning_rate),
                         .beta1 = static_cast<float>(c.adam_beta1),
                         .beta2 = static_cast<float>(c.adam_beta2),
                         .epsilon = static_cast<float>(c.adam_epsilon),
                         .weight_decay = 0.0F,
                         .bias_correction1 = static_cast<float>(1.0 - std::pow(c.adam_beta1, static_cast<double>(steps_done()))),
                         .bias_correction2 = static_cast<float>(1.0 - std::pow(c.adam_beta2, static_cast<double>(steps_done()))),
                         .gradient_scale = static_cast<float>(gradient_scale)};
  for (size_t i = 0; i < arenas().size(); ++i) {
    const Moments& kept = moments_[i];
    const bool rounded = kept.masters.defined();
    const ops::AdamWBuffers buffers{.masters = rounded ? kept.masters : arenas()[i]->flat(),
                                    .rounded = rounded ? arenas()[i]->flat() : at::Tensor(),
                                    .gradients = gradients[i],
                                    .exp_avg = kept.exp_avg,
                                    .exp_avg_sq = kept.exp_avg_sq};
    for (const auto& slot : arenas()[i]->slots()) {
      now.weight_decay = slot.decay ? static_cast<float>(c.weight_decay) : 0.0F;
      ops::adamw(buffers, slot.offset, slot.offset + slot.numel(), now);
    }
  }
}

void AdamW::restore(int64_t steps, const std::vector<Moments>& moments) try {
  GRPO_CHECK(moments.size() == moments_.size(), "AdamW::restore", "expected moments of " + std::to_string(moments_.size()) + " arenas");
  const c10::NoGradGuard no_grad;
  for (size_t i = 0; i < moments.size(); ++i) {
    for (const auto member : {&Moments::exp_avg, &Moments::exp_avg_sq, &Moments::masters}) {
      const at::Tensor &given = moments[i].*member, &mine = moments_[i].*member;
      GRPO_CHECK(given.defined() == mine.defined() && (!mine.defined() || given.numel() == mine.numel()), "AdamW::restore",
                 "expected moments, and masters where weights are not float32, of the arena's size for " + arenas()[i]->name());
      if (mine.defined()) mine.copy_(given);
    }
  }
  set_steps_done(steps);
} catch (...) {
  rethrow_as_error("AdamW::restore");
}

}  // namespace grpo
