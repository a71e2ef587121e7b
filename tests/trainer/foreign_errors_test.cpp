// Whatever a user's part throws leaves the trainer as an Error with the part's name. Oracle: what each part throws.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "grpo/algorithm/policy_term.h"
#include "grpo/trainer/policy_trainer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

using Action = std::function<void()>;

struct MadeBadly final : Reward {
  MadeBadly() { throw 42; }
  void score(std::span<const Completion> /*batch*/, std::span<Score> /*scores*/, RewardContext& /*context*/) override {}
};

struct BadTerm final : PolicyTerm {
  explicit BadTerm(std::function<at::Tensor(const PolicyTermInput&)> with) : term(std::move(with)) {}
  at::Tensor loss(const PolicyTermInput& input) const override { return term(input); }
  std::function<at::Tensor(const PolicyTermInput&)> term;
};

/// A part of a run that goes wrong, and what is then said.
struct ForeignCase {
  const char* name;
  std::function<void(Registry&, Config&)> prepare;
  Action callback;
  std::vector<std::string> said;
};

void use_reward(Config& c) { c.reward = {{.name = "odd", .function = {}, .weight = 1.0, .options = {}}}; }

auto with_reward(Action action) {
  return [action = std::move(action)](Registry& r, Config& c) {
    r.add_reward("odd", [action](const Completion& /*completion*/) { return action(), 1.0; });
    use_reward(c);
  };
}

auto with_loss(std::function<at::Tensor(const PolicyTermInput&)> term) {
  return [term = std::move(term)](Registry& r, Config& c) {
    r.losses.add("odd", [term](const NamedOptions& /*options*/) { return std::make_unique<BadTerm>(term); });
    c.algorithm.loss.custom_loss = "odd";
  };
}

const ForeignCase kForeign[] = {
    {"reward_constructor",
     [](Registry& r, Config& c) {
       r.add_reward<MadeBadly>("odd");
       use_reward(c);
     },
     {},
     {"[reward odd] an exception that is no std::exception"}},
    {"reward_factory_gives_nothing",
     [](Registry& r, Config& c) {
       r.rewards.add("odd", [](const RewardOptions& /*options*/) { return std::unique_ptr<Reward>(); });
       use_reward(c);
     },
     {},
     {"[reward odd]", "null pointer"}},
    {"reward_throws_42", with_reward([] { throw 42; }), {}, {"[reward odd]", "optimiser step 1"}},
    {"reward_throws_of_torch",
     with_reward([] { at::ones({2}).add(at::ones({3})); }),
     {},
     {"[reward odd]", "must match", "optimiser step 1"}},
    {"loss_of_other_shapes",
     with_loss([](const PolicyTermInput& input) { return input.ratio * at::ones({input.ratio.size(0) + 1}); }),
     {},
     {"[loss odd, given tensors of [", "] Float] The size of tensor a", "optimiser step 1"}},
    {"loss_throws_42",
     with_loss([](const PolicyTermInput& /*input*/) -> at::Tensor { throw 42; }),
     {},
     {"[loss odd, given tensors of [", "optimiser step 1"}},
    {"loss_gives_nothing",
     with_loss([](const PolicyTermInput& /*input*/) { return at::Tensor(); }),
     {},
     {"[loss odd]", "an undefined tensor"}},
    {"loss_gives_one_number",
     with_loss([](const PolicyTermInput& input) { return input.ratio.sum(); }),
     {},
     {"[loss odd]", "expected one number per pair", "got [] Float"}},
    {"callback", [](Registry& /*r*/, Config& /*c*/) {}, [] { throw std::string("no"); }, {"[on_step] an exception"}},
    {"callback_of_torch",
     [](Registry& /*r*/, Config& /*c*/) {},
     [] { at::ones({2}).add(at::ones({3})); },
     {"[on_step] The size of tensor a"}},
};

class Foreign : public ::testing::TestWithParam<ForeignCase> {};

TEST_P(Foreign, LeavesAsAnErrorWithItsName) {
  const ForeignCase& given = GetParam();
  for (const bool whole_run : {false, true}) {
    Config c = testing::tiny_config(std::string("foreign-") + given.name);
    Registry r = testing::registry();
    given.prepare(r, c);
    try {
      PolicyTrainer trainer(c, {}, r);
      if (given.callback) trainer.on_step([&given](const TrainReport& /*report*/) { given.callback(); });
      whole_run ? void(trainer.train()) : void(trainer.step());
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      const std::string text = error.what();
      for (const std::string& part : given.said) EXPECT_NE(text.find(part), std::string::npos) << text;
      EXPECT_EQ(text.find("frame #"), std::string::npos) << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Foreign, ::testing::ValuesIn(kForeign), [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace grpo
