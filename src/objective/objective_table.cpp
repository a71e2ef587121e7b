#include <algorithm>
#include <array>

#include "grpo/objective/config.h"

namespace grpo {
namespace {

constexpr std::array kObjectiveTable = {
    ObjectiveRow{"grpo", {"the policy loss loss_type with the advantages of advantage_estimator", "GRPO, arXiv 2402.03300", "nothing"}},
    ObjectiveRow{
        "ppo",
        {"the same loss; A = sum over s >= t of (gamma lambda)^(s - t) (R_s + gamma V_{s+1} - V_s), R = the reward on the last token; "
         "the critic minimises max((V - return)^2, (clip(V, V_old +- cliprange_value) - return)^2) / 2, mean over tokens",
         "PPO, arXiv 1707.06347; GAE, arXiv 1506.02438, eq. 16; VAPO, arXiv 2504.05118",
         "a critic of the model's size with its optimiser, a pass of it per rollout and per update; with share_backbone a head alone"}},
    ObjectiveRow{
        "prime",
        {"the same loss; A = sum over s >= t of gamma^(s - t) (p_s - mean of the group's others) + outcome - mean of the others' "
         "outcomes, p = prime_beta (log phi - log phi's reference); phi minimises the cross-entropy of sigmoid(sum of p) with the "
         "outcome",
         "PRIME, arXiv 2502.01456, eq. 5",
         "a process reward model of the model's size with its optimiser and its frozen copy, a pass of both per rollout, one of the "
         "first per update"}},
    ObjectiveRow{"rloo", {"grpo with the advantage_estimator rloo", "RLOO, arXiv 2402.14740", "nothing"}},
    ObjectiveRow{"reinforce_plus_plus",
                 {"grpo with the advantage_estimator reinforce_plus_plus", "REINFORCE++, arXiv 2501.03262", "nothing"}},
    ObjectiveRow{"remax", {"grpo with the advantage_estimator remax", "ReMax, arXiv 2310.10505", "a greedy completion per prompt"}},
    ObjectiveRow{
        "online_dpo",
        {"log sigmoid(dpo_beta (d of a group's best completion - d of its worst)), d = log p - log ref of the whole completion; ipo: "
         "-(mean d of the best - mean d of the worst - 1 / (2 dpo_beta))^2",
         "DPO, arXiv 2305.18290; online, arXiv 2402.04792; IPO, arXiv 2310.12036",
         "a frozen copy of the model and a pass of it per rollout; trains on two completions of each group"}},
    ObjectiveRow{"expert_iteration",
                 {"log p of the completions whose reward reaches reward_threshold, mean over their tokens",
                  "RAFT, arXiv 2304.06767; expert iteration, arXiv 1705.08439", "nothing; trains on the good completions alone"}},
};

}  // namespace

std::span<const ObjectiveRow> objective_table() { return kObjectiveTable; }
bool is_builtin_objective(std::string_view name) {
  return std::ranges::find(kObjectiveTable, name, &ObjectiveRow::name) != kObjectiveTable.end();
}

std::optional<std::string> estimator_of(std::string_view objective) {
  if (objective == "rloo" || objective == "reinforce_plus_plus" || objective == "remax") return std::string(objective);
  return std::nullopt;
}

}  // namespace grpo
