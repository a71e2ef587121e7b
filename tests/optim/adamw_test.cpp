// Oracles: Adam with decoupled weight decay (Loshchilov and Hutter, 1711.05101, algorithm 2) in float64; schedules by hand.
#include "grpo/optim/adamw.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/core/error.h"
#include "grpo/optim/schedule.h"
#include "support/place.h"

namespace grpo {
namespace {

/// A matrix that decays and a norm that does not.
std::vector<ParameterSlot> slots() {
  return {{.shape = {3, 5}, .decay = true, .pieces = {{"matrix", 0, 3}}}, {.shape = {4}, .decay = false, .pieces = {{"norm", 0, 4}}}};
}

using testing::Place;

ParameterArena random_arena(const Place& place) {
  ParameterArena arena("test", slots(), place.dtype, place.device);
  at::Tensor(arena.flat()).copy_(at::randn({arena.numel()}));
  arena.flat_grad();
  return arena;
}

struct Fixture {
  Fixture(const Place& place, const OptimConfig& config)
      : use(place), arena(random_arena(place)), created(arena.version()), optimizer({&arena}, config) {}
  void gradient(const at::Tensor& values) { at::Tensor(arena.flat_grad()).copy_(values); }
  /// What the arena's type makes of values, in float64 on the CPU.
  at::Tensor rounded(const at::Tensor& values) const { return values.to(arena.flat().scalar_type()).to(at::kCPU, at::kDouble); }
  at::Tensor weights() const { return arena.flat().to(at::kCPU, at::kDouble); }
  /// Masters, or the weights that are their own.
  at::Tensor masters() const {
    const at::Tensor& kept = optimizer.moments()[0].masters;
    return kept.defined() ? kept.to(at::kCPU, at::kDouble) : weights();
  }
  testing::At use;
  ParameterArena arena;
  int64_t created;  // the arena's version
  AdamW optimizer;
};

class Updates : public ::testing::TestWithParam<Place> {};
INSTANTIATE_TEST_SUITE_P(Places, Updates, ::testing::ValuesIn(testing::places()), testing::place_name);

TEST_P(Updates, FollowTheRuleOverManySteps) {
  const OptimConfig config{
      .learning_rate = 0.01, .adam_beta1 = 0.8, .adam_beta2 = 0.9, .adam_epsilon = 1e-3, .weight_decay = 0.1, .max_grad_norm = 0.5};
  Fixture f(GetParam(), config);
  at::Tensor weights = f.weights(), first = at::zeros_like(weights), second = at::zeros_like(weights);
  at::Tensor decay = at::zeros_like(weights), used = at::zeros({f.arena.numel()});  // slots may be padded
  for (const auto& slot : f.arena.slots()) {
    used.narrow(0, slot.offset, slot.numel()).fill_(1.0);
    decay.narrow(0, slot.offset, slot.numel()).fill_(slot.decay ? config.weight_decay : 0.0);
  }
  const double largest = weights.abs().max().item<double>() + 1.0, rounding = 1.2e-7;
  for (int step = 1; step <= 20; ++step) {
    const at::Tensor gradient = at::randn({f.arena.numel()}) * used * (step % 2 == 0 ? 1.0 : 0.05);  // above and below the clip
    f.gradient(gradient);
    const at::Tensor seen = f.rounded(gradient);
    const double rate = config.learning_rate / step, length = seen.norm().item<double>();
    const auto report = f.optimizer.step(rate);
    EXPECT_TRUE(report.applied);
    EXPECT_NEAR(report.grad_norm, length, 1e-5 * length);
    const at::Tensor g = seen * std::min(1.0, config.max_grad_norm / (length + 1e-6));
    first = config.adam_beta1 * first + (1 - config.adam_beta1) * g;
    second = config.adam_beta2 * second + (1 - config.adam_beta2) * g * g;
    const at::Tensor m = first / (1 - std::pow(config.adam_beta1, step)), v = second / (1 - std::pow(config.adam_beta2, step));
    weights = weights - rate * decay * weights - rate * m / (v.sqrt() + config.adam_epsilon);
    EXPECT_LE((f.masters() - weights).abs().max().item<double>(), (step + 1) * rounding * largest) << "step " << step;
    EXPECT_TRUE((f.weights() * used).equal(f.rounded(f.masters().to(at::kFloat)) * used)) << "weights are the rounded masters";
  }
  EXPECT_EQ(f.arena.version() - f.created, 20);
  EXPECT_EQ(f.optimizer.steps_done(), 20);
}

TEST_P(Updates, OfAGradientThatIsNotFiniteChangeNothing) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Fixture f(GetParam(), {.learning_rate = 0.1});
    at::Tensor gradient = at::ones({f.arena.numel()});
    gradient[2] = bad;
    f.gradient(gradient);
    const at::Tensor before = f.arena.flat().clone();
    EXPECT_FALSE(f.optimizer.step().applied);
    EXPECT_TRUE(before.equal(f.arena.flat()));
    EXPECT_EQ(f.optimizer.steps_done(), 0);
    EXPECT_EQ(f.arena.version(), f.created);
    EXPECT_EQ(f.optimizer.moments()[0].exp_avg.abs().max().item<float>(), 0.0F);
  }
}

TEST_P(Updates, ContinueBitForBitFromRestoredMoments) {
  const OptimConfig config{.learning_rate = 0.05, .weight_decay = 0.01};
  Fixture whole(GetParam(), config), resumed(GetParam(), config);
  const testing::At use(GetParam());
  const at::Tensor gradient = at::randn({whole.arena.numel()}), other = at::randn({whole.arena.numel()});
  whole.gradient(gradient);
  whole.optimizer.step();
  at::Tensor(resumed.arena.flat()).copy_(whole.arena.flat());
  resumed.optimizer.restore(whole.optimizer.steps_done(), whole.optimizer.moments());
  for (auto* f : {&whole, &resumed}) {
    f->gradient(other);
    f->optimizer.step();
  }
  EXPECT_TRUE(whole.arena.flat().equal(resumed.arena.flat()));
  EXPECT_THROW(resumed.optimizer.restore(1, {}), Error);
  EXPECT_THROW(resumed.optimizer.restore(1, {{at::zeros({3}), at::zeros({3}), {}}}), Error);
}

TEST(Schedule, HandValues) {
  OptimConfig c{.learning_rate = 2.0, .lr_scheduler_type = "linear", .warmup_steps = 4, .min_lr_ratio = 0.1};
  const auto rate = [&c](int64_t step) { return scheduled_learning_rate(c, *builtin_schedules().make(c.lr_scheduler_type), step, 14); };
  EXPECT_EQ(rate(0), 0.0);
  EXPECT_EQ(rate(1), 0.5);
  EXPECT_EQ(rate(4), 2.0);
  EXPECT_NEAR(rate(9), 1.1, 1e-12);  // half way from 2 to 0.2
  EXPECT_NEAR(rate(14), 0.2, 1e-12);
  EXPECT_NEAR(rate(99), 0.2, 1e-12);
  c.lr_scheduler_type = "cosine";
  EXPECT_NEAR(rate(9), 1.1, 1e-12);
  EXPECT_NEAR(rate(4 + 10 / 3), 0.2 + 1.8 * 0.5 * (1 + std::cos(std::acos(-1.0) * 0.3)), 1e-12);
  EXPECT_NEAR(rate(14), 0.2, 1e-12);
  c.lr_scheduler_type = "constant";
  EXPECT_EQ(rate(3), 1.5);
  EXPECT_EQ(rate(1000), 2.0);
}

TEST(Schedule, OneOfYourOwn) {
  class Bad final : public Schedule {
    double factor(const ScheduleStep& step) const override { return step.step == 3 ? 0.5 : std::nan(""); }
  };
  const OptimConfig c{.learning_rate = 2.0, .warmup_steps = 2, .min_lr_ratio = 0.5};
  EXPECT_EQ(scheduled_learning_rate(c, Bad(), 1, 10), 1.0);  // its warm-up
  EXPECT_EQ(scheduled_learning_rate(c, Bad(), 3, 10), 1.5);
  EXPECT_THROW(scheduled_learning_rate(c, Bad(), 4, 10), Error);
  EXPECT_EQ((ScheduleStep{.step = 6, .total_steps = 10, .warmup_steps = 2}.progress()), 0.5);
}

}  // namespace
}  // namespace grpo
