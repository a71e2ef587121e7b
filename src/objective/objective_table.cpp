#include <array>

#include "grpo/objective/config.h"

namespace grpo {
namespace {

using ObjectiveType = AlgorithmSection::ObjectiveType;

constexpr std::array kObjectiveTable = {
    ObjectiveRow{ObjectiveType::kGrpo,
                 "grpo",
                 {"the policy loss loss_type with the advantages of advantage_estimator", "GRPO, arXiv 2402.03300", "nothing"}},
    ObjectiveRow{
        ObjectiveType::kPpo,
        "ppo",
        {"the same loss; A = sum over s >= t of (gamma lambda)^(s - t) (R_s + gamma V_{s+1} - V_s), R = the reward on the last token; "
         "the critic minimises max((V - return)^2, (clip(V, V_old +- cliprange_value) - return)^2) / 2, mean over tokens",
         "PPO, arXiv 1707.06347; GAE, arXiv 1506.02438, eq. 16; VAPO, arXiv 2504.05118",
         "a critic of the model's size with its optimiser, a pass of it per rollout and per update; with share_backbone a head alone"}},
    ObjectiveRow{
        ObjectiveType::kPrime,
        "prime",
        {"the same loss; A = sum over s >= t of gamma^(s - t) (p_s - mean of the group's others) + outcome - mean of the others' "
         "outcomes, p = prime_beta (log phi - log phi's reference); phi minimises the cross-entropy of sigmoid(sum of p) with the "
         "outcome",
         "PRIME, arXiv 2502.01456, eq. 5",
         "a process reward model of the model's size with its optimiser and its frozen copy, a pass of both per rollout, one of the "
         "first per update"}},
    ObjectiveRow{ObjectiveType::kRloo, "rloo", {"grpo with the advantage_estimator rloo", "RLOO, arXiv 2402.14740", "nothing"}},
    ObjectiveRow{ObjectiveType::kReinforcePlusPlus,
                 "reinforce_plus_plus",
                 {"grpo with the advantage_estimator reinforce_plus_plus", "REINFORCE++, arXiv 2501.03262", "nothing"}},
    ObjectiveRow{ObjectiveType::kRemax,
                 "remax",
                 {"grpo with the advantage_estimator remax", "ReMax, arXiv 2310.10505", "a greedy completion per prompt"}},
    ObjectiveRow{
        ObjectiveType::kOnlineDpo,
        "online_dpo",
        {"log sigmoid(dpo_beta (d of a group's best completion - d of its worst)), d = log p - log ref of the whole completion; ipo: "
         "-(mean d of the best - mean d of the worst - 1 / (2 dpo_beta))^2",
         "DPO, arXiv 2305.18290; online, arXiv 2402.04792; IPO, arXiv 2310.12036",
         "a frozen copy of the model and a pass of it per rollout; trains on two completions of each group"}},
    ObjectiveRow{ObjectiveType::kExpertIteration,
                 "expert_iteration",
                 {"log p of the completions whose reward reaches reward_threshold, mean over their tokens",
                  "RAFT, arXiv 2304.06767; expert iteration, arXiv 1705.08439", "nothing; trains on the good completions alone"}},
};

}  // namespace

std::span<const ObjectiveRow> objective_table() { return kObjectiveTable; }

std::optional<AdvantageEstimator> estimator_of(AlgorithmSection::ObjectiveType objective) {
  switch (objective) {
    case AlgorithmSection::ObjectiveType::kRloo:
      return AdvantageEstimator::kRloo;
    case AlgorithmSection::ObjectiveType::kReinforcePlusPlus:
      return AdvantageEstimator::kReinforcePlusPlus;
    case AlgorithmSection::ObjectiveType::kRemax:
      return AdvantageEstimator::kRemax;
    default:
      return std::nullopt;
  }
}

}  // namespace grpo
