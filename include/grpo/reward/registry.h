#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "grpo/api.h"
#include "grpo/data/factory_table.h"
#include "grpo/reward/reward.h"

namespace GRPO_API grpo {

struct NoRewardOptions {};
inline void describe(ConfigVisitor&, NoRewardOptions&) {}

/// The options that a function which judges one completion takes behind it; empty for other functions.
template <class Function>
struct JudgeOptions {};
template <class Function>
requires requires { &Function::operator(); }
struct JudgeOptions<Function> : JudgeOptions<decltype(&Function::operator())> {};
template <class F, class R, class... A>
struct JudgeOptions<R (F::*)(A...) const> : JudgeOptions<R (*)(A...)> {};
template <class R>
struct JudgeOptions<R (*)(const Completion&)> : std::type_identity<NoRewardOptions> {};
template <class R>
struct JudgeOptions<R (*)(const Completion&, RewardContext&)> : std::type_identity<NoRewardOptions> {};
template <class R, class Options>
struct JudgeOptions<R (*)(const Completion&, const Options&)> : std::type_identity<Options> {};
template <class R, class Options>
struct JudgeOptions<R (*)(const Completion&, const Options&, RewardContext&)> : std::type_identity<Options> {};

template <class F>
concept JudgesCompletions = requires {
  typename JudgeOptions<F>::type;
};

/// Rewards by name. `make(name, options)`, `add<MyReward>("mine")` and `names()` come from `FactoryTable`.
class RewardRegistry : public FactoryTable<Reward> {
 public:
  RewardRegistry() : FactoryTable("reward") {}

  using FactoryTable::add;

  /// A reward that judges every completion by itself:
  ///
  ///     rewards.add("short", [](const Completion& c) { return c.ids.size() < 200 ? 1.0 : 0.0; });
  ///     rewards.add("keyword", [](const Completion& c, const Keyword& options, RewardContext& context) -> Score { … });
  ///
  /// Options, read once from the config, and the context may each be left out; a `Score` has a reason, a number none.
  template <JudgesCompletions F>
  void add(std::string name, F judge) {
    using Options = typename JudgeOptions<F>::type;
    add_judge(name, [name, judge = std::move(judge)](const RewardOptions& given) -> Judge {
      return [judge, options = read_options<Options>(name, given)](const Completion& completion, RewardContext& context) -> Score {
        if constexpr (std::is_invocable_v<const F&, const Completion&, const Options&, RewardContext&>) {
          return judge(completion, options, context);
        } else if constexpr (std::is_invocable_v<const F&, const Completion&, const Options&>) {
          return judge(completion, options);
        } else if constexpr (std::is_invocable_v<const F&, const Completion&, RewardContext&>) {
          return judge(completion, context);
        } else {
          return judge(completion);
        }
      };
    });
  }

 private:
  using Judge = std::function<Score(const Completion&, RewardContext&)>;
  void add_judge(std::string name, std::function<Judge(const RewardOptions&)> make_judge);
};

/// accuracy, code, countdown, equations, format, length, math, repetition, soft_overlong, tag_count: src/reward/README.md describes them
/// and their options.
RewardRegistry builtin_rewards();

}  // namespace grpo
