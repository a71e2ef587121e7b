#include "grpo/optim/optimizer.h"

#include <c10/core/GradMode.h>

#include <cmath>

#include "grpo/optim/adamw.h"
#include "ops/ops.h"

namespace grpo {

void Optimizer::zero_grad() {
  for (auto* arena : arenas_) arena->zero_grad();
}

UpdateReport Optimizer::step(double learning_rate) try {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (auto* arena : arenas_) gradients.push_back(arena->flat_grad());
  const double sum = ops::sum_of_squares(gradients);
  const UpdateReport report{.grad_norm = std::sqrt(sum), .applied = std::isfinite(sum)};
  if (!report.applied) return report;

  ++steps_;
  const bool clip = config_.max_grad_norm > 0.0 && report.grad_norm > config_.max_grad_norm;
  update(learning_rate, gradients, clip ? config_.max_grad_norm / (report.grad_norm + 1e-6) : 1.0);
  for (auto* arena : arenas_) arena->mark_written();
  return report;
} catch (...) {
  rethrow_as_error("optimizer " + config_.optimizer);
}

OptimizerRegistry builtin_optimizers() {
  OptimizerRegistry registry("optimizer");
  registry.add<AdamW>("adamw");
  return registry;
}

}  // namespace grpo
