// Which option of the section `algorithm` has an effect when: an option that is set where it has none is refused.
#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/faults.h"
#include "core/json.h"
#include "grpo/io/json_config.h"
#include "grpo/objective/config.h"

namespace grpo {
namespace {

using Algorithm = AlgorithmSection;

bool policy_loss(const Algorithm& a) { return a.objective != "online_dpo" && a.objective != "expert_iteration"; }
bool estimates(const Algorithm& a) { return policy_loss(a) && a.objective != "ppo" && a.objective != "prime"; }
std::string estimator(const Algorithm& a) { return estimator_of(a.objective).value_or(a.advantage.advantage_estimator); }
bool estimator_is(const Algorithm& a, std::initializer_list<std::string_view> names) {
  return estimates(a) && std::ranges::find(names, estimator(a)) != names.end();
}
bool loss_is(const Algorithm& a, LossType type) { return policy_loss(a) && a.loss.loss_type == type; }
bool kl(const Algorithm& a) { return policy_loss(a) && a.loss.beta > 0.0; }
bool reference(const Algorithm& a) { return kl(a) || a.objective == "online_dpo"; }
bool corrects(const Algorithm& a) { return policy_loss(a) && a.loss.importance_sampling_correction; }
struct Use {
  std::string_view option;  // as a JSON pointer; with / or _ at its end: all options that begin so
  bool (*has_effect)(const Algorithm&);
  std::string_view needs;
};

constexpr std::string_view kPolicyLoss = "an objective with a policy loss, which online_dpo and expert_iteration have not";
constexpr std::string_view kEstimator = "an objective with an advantage_estimator: grpo, rloo, reinforce_plus_plus or remax";

constexpr std::string_view kBuiltinEstimator = "a built-in advantage_estimator, and an objective that has one";

const Use kUses[] = {
    {"/loss_type", policy_loss, kPolicyLoss},
    {"/custom_loss", policy_loss, kPolicyLoss},
    {"/importance_sampling_level", policy_loss, kPolicyLoss},
    {"/epsilon", policy_loss, kPolicyLoss},  // where nothing is clipped, clip_ratio is still measured by it
    {"/epsilon_high", policy_loss, kPolicyLoss},
    {"/delta", policy_loss, kPolicyLoss},
    {"/sapo_temperature_", [](const Algorithm& a) { return loss_is(a, LossType::kSapo); }, "loss_type sapo"},
    {"/vespo_", [](const Algorithm& a) { return loss_is(a, LossType::kVespo); }, "loss_type vespo"},
    {"/clip_cov_", [](const Algorithm& a) { return loss_is(a, LossType::kClipCov); }, "loss_type clip_cov"},
    {"/kl_cov_", [](const Algorithm& a) { return loss_is(a, LossType::kKlCov); }, "loss_type kl_cov"},
    {"/beta", policy_loss, kPolicyLoss},
    {"/kl_estimator", kl, "beta above 0"},
    {"/use_bias_correction_kl", kl, "beta above 0"},
    {"/use_kl_in_reward", [](const Algorithm& a) { return kl(a) && a.objective != "prime"; },
     "beta above 0 and an objective whose advantages are made of rewards, not prime"},
    {"/use_adaptive_kl", kl, "beta above 0"},
    {"/kl_target", [](const Algorithm& a) { return kl(a) && a.loss.use_adaptive_kl; }, "use_adaptive_kl"},
    {"/kl_horizon", [](const Algorithm& a) { return kl(a) && a.loss.use_adaptive_kl; }, "use_adaptive_kl"},
    {"/top_entropy_quantile", policy_loss, kPolicyLoss},
    {"/entropy_coef", policy_loss, kPolicyLoss},
    {"/use_adaptive_entropy", policy_loss, kPolicyLoss},
    {"/entropy_coef_", [](const Algorithm& a) { return policy_loss(a) && a.loss.use_adaptive_entropy; }, "use_adaptive_entropy"},
    {"/entropy_target", [](const Algorithm& a) { return policy_loss(a) && a.loss.use_adaptive_entropy; }, "use_adaptive_entropy"},
    {"/importance_sampling_correction", policy_loss, kPolicyLoss},
    {"/importance_sampling_mode", corrects, "importance_sampling_correction"},
    {"/importance_sampling_clip_", corrects, "importance_sampling_correction"},
    {"/off_policy_mask_threshold", policy_loss, kPolicyLoss},
    {"/rejection_", policy_loss, kPolicyLoss},
    {"/advantage_estimator", [](const Algorithm& a) { return estimates(a); }, kEstimator},
    {"/advantage_options", [](const Algorithm& a) { return estimates(a) && !is_builtin_estimator(estimator(a)); },
     "an advantage_estimator of your own"},
    {"/objective_options", [](const Algorithm& a) { return !is_builtin_objective(a.objective); }, "an objective of your own"},
    {"/scale_rewards",
     [](const Algorithm& a) {
       return estimator_is(a, {"group", "pass_at_k", "process_supervision"});
     },
     "advantage_estimator group, pass_at_k or process_supervision"},
    {"/multi_objective_aggregation", [](const Algorithm& a) { return estimator_is(a, {"group"}); }, "advantage_estimator group"},
    {"/reward_weights", [](const Algorithm& a) { return a.objective != "prime"; },
     "an objective that learns from the sum of rewards; prime learns from prime.outcome_reward alone"},
    {"/normalize_advantages", [](const Algorithm& a) { return estimator_is(a, {"rloo"}); }, "advantage_estimator rloo"},
    {"/reward_clip_range", [](const Algorithm& a) { return estimates(a) && is_builtin_estimator(estimator(a)); }, kBuiltinEstimator},
    {"/pass_k", [](const Algorithm& a) { return estimator_is(a, {"pass_at_k"}); }, "advantage_estimator pass_at_k"},
    {"/step_reward", [](const Algorithm& a) { return estimator_is(a, {"process_supervision"}); },
     "advantage_estimator process_supervision"},
    {"/ppo/", [](const Algorithm& a) { return a.objective == "ppo"; }, "the objective ppo"},
    {"/ppo/vf_coef", [](const Algorithm& a) { return a.objective == "ppo" && a.ppo.share_backbone; }, "ppo.share_backbone"},
    {"/prime/", [](const Algorithm& a) { return a.objective == "prime"; }, "the objective prime"},
    {"/dpo/", [](const Algorithm& a) { return a.objective == "online_dpo"; }, "the objective online_dpo"},
    {"/expert_iteration/", [](const Algorithm& a) { return a.objective == "expert_iteration"; }, "the objective expert_iteration"},
    {"/sync_ref_model", reference, "beta above 0 or the objective online_dpo; without a KL there is no reference"},
    {"/ref_model_", [](const Algorithm& a) { return reference(a) && a.sync_ref_model; }, "sync_ref_model"},
    {"/offload_ref_model", reference, "beta above 0 or the objective online_dpo; without a KL there is no reference"},
    {"/dynamic_sampling_", [](const Algorithm& a) { return a.dynamic_sampling; }, "dynamic_sampling"},
    {"/accuracy_", [](const Algorithm& a) { return a.dynamic_sampling; }, "dynamic_sampling"},
    {"/replay_max_pass_rate", [](const Algorithm& a) { return a.replay_fraction > 0.0; }, "replay_fraction above 0"},
    {"/pass_rate_reward", [](const Algorithm& a) { return a.replay_fraction > 0.0 || a.curriculum_max_pass_rate < 1.0; },
     "replay_fraction above 0 or curriculum_max_pass_rate below 1"},
};

/// Names of options, as JSON pointers, with their values.
nlohmann::json flat(const Algorithm& section) { return parse_json(write_config(section)).flatten(); }

/// Whether a pointer, which may lead into a list or free options, belongs to the option.
bool belongs(std::string_view pointer, std::string_view option) {
  if (option.ends_with('/') || option.ends_with('_')) return pointer.starts_with(option);
  return pointer == option || pointer.starts_with(std::string(option) + "/");
}

/// The options that do not have their default values.
std::vector<std::string> set_options(const Algorithm& section) {
  const auto given = flat(section), defaults = flat({});
  std::vector<std::string> pointers;
  for (const auto& [pointer, value] : given.items()) {
    if (!defaults.contains(pointer) || defaults.at(pointer) != value) pointers.push_back(pointer);
  }
  return pointers;
}

std::string as_in_config(std::string pointer) {
  std::ranges::replace(pointer, '/', '.');
  return "algorithm" + pointer;
}

}  // namespace

void refuse_unused(const AlgorithmSection& section) {
  const auto pointers = set_options(section);
  Faults faults;
  for (const Use& use : kUses) {
    if (use.has_effect(section)) continue;
    const auto found = std::ranges::find_if(pointers, [&](const std::string& pointer) { return belongs(pointer, use.option); });
    if (found != pointers.end()) faults.add(as_in_config(*found) + ": expected " + std::string(use.needs) + "; without, it has no effect");
  }
  faults.raise_lines();
}

void refuse_all_but(const AlgorithmSection& section, std::span<const std::string_view> used, std::string_view training) {
  Faults faults;
  for (const auto& pointer : set_options(section)) {
    const bool good = std::ranges::any_of(used, [&](std::string_view option) { return belongs(pointer, option); });
    const bool of_objectives = std::ranges::any_of(kUses, [&](const Use& use) { return belongs(pointer, use.option); });
    faults.need(good || !of_objectives, as_in_config(pointer) + ": has no effect in " + std::string(training));
  }
  faults.raise_lines();
}

}  // namespace grpo
