// A loss of one's own with grpo/torch.h alone. Oracle: the plain REINFORCE term by hand, and its gradient.
#include <grpo/torch.h>

class Reinforce final : public grpo::PolicyTerm {
 public:
  at::Tensor loss(const grpo::PolicyTermInput& input) const override {
    return -(at::exp(input.log_ratio) * input.advantages.clamp(-2.0, 2.0) + 0.0 * at::relu(input.logprobs)) * input.mask;
  }
};

int main() {
  grpo::Registry registry = grpo::builtin_registry();
  registry.add_loss<Reinforce>("plain");
  const auto term = registry.losses.make("plain");
  const grpo::LossConfig config;
  const auto logprobs = at::zeros({2}).set_requires_grad(true);
  const auto advantages = at::tensor({5.0, 1.0}), mask = at::tensor({1.0, 0.0});
  const auto loss = term->loss({config, logprobs, logprobs, logprobs.exp(), advantages, mask}).sum();
  loss.backward();
  return loss.item<double>() == -2.0 && logprobs.grad()[0].item<double>() == -2.0 && logprobs.grad()[1].item<double>() == 0.0 ? 0 : 1;
}
