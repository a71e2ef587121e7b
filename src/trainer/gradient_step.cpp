#include "trainer/gradient_step.h"

#include <cmath>
#include <span>
#include <string>

#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "policy/gather.h"

namespace grpo {
namespace {

constexpr double kGraceSeconds = 5.0;  // of a step under way, once a signal asks to stop

}  // namespace

GradientStep::GradientStep(Transformer& policy, TrainedModels& models, Communicator& communicator)
    : policy_(policy), models_(models), communicator_(communicator) {
  models_.zero_grad();
}

void GradientStep::pass(Transformer& model, const PackedTokens& micro, const BackwardOptions& options,
                        const std::function<LossOutput(const TokenOutputs&)>& loss_fn) {
  abandoned_ = abandoned_ || abandon_requested(kGraceSeconds);
  if (abandoned_) return;
  const auto scalar = [&](const TokenOutputs& outputs) {
    LossOutput out = loss_fn(outputs);
    merge(tallies_, out.metrics);
    return out.loss;
  };
  const double loss = model.forward_backward(micro, scalar, options).item<double>();
  if (&model == &policy_) loss_ += loss;
}

Metrics GradientStep::apply(int64_t step, int64_t total_steps, bool moves_policy) {
  interruptible(communicator_, [this] {
    if (abandoned_) fail_interrupted("train", "a signal asked to stop, and the step would have taken longer");
  });
  models_.sum_gradients(communicator_);
  communicator_.all_reduce(std::span(&loss_, 1));
  gather(communicator_, tallies_);
  if (!std::isfinite(loss_)) {
    fail("train", "the loss of step " + std::to_string(step + 1) + " is not finite; weights keep the values of step " +
                      std::to_string(step) + ". A lower learning rate or max_grad_norm may help");
  }
  Metrics metrics{{"loss", loss_}};
  for (const auto& [name, tally] : tallies_) metrics[name] = tally.result();
  assign(metrics, models_.update(step, total_steps, moves_policy));
  return metrics;
}

}  // namespace grpo
