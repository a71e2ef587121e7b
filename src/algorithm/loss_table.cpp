#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "grpo/algorithm/config.h"

namespace grpo {
namespace {

constexpr std::string_view kFree = "nothing";
constexpr std::string_view kStatistics = "one more forward pass per optimiser step";

using enum LossScope;

constexpr std::array kLossTable = {
    LossRow{LossType::kGrpo,
            "grpo",
            Surrogate::kClip,
            Aggregation::kSequenceMean,
            kStep,
            {"min(r A, clip(r, 1 - epsilon, 1 + epsilon_high) A), mean over each sequence's tokens, then over sequences",
             "DeepSeekMath, arXiv 2402.03300, eq. 3", kFree}},
    LossRow{LossType::kBnpo,
            "bnpo",
            Surrogate::kClip,
            Aggregation::kTokenMean,
            kMicroBatch,
            {"the term of grpo, mean over the tokens of each micro-batch: the gradient depends on how a step is cut", "TRL", kFree}},
    LossRow{LossType::kDrGrpo,
            "dr_grpo",
            Surrogate::kClip,
            Aggregation::kConstantLength,
            kStep,
            {"the term of grpo, sum over tokens / (sequences * max_completion_length); scale_rewards none belongs to it",
             "Dr. GRPO, arXiv 2503.20783", kFree}},
    LossRow{LossType::kDapo,
            "dapo",
            Surrogate::kClip,
            Aggregation::kTokenMean,
            kStep,
            {"the term of grpo, mean over the step's tokens", "DAPO, arXiv 2503.14476, eq. 8", kFree}},
    LossRow{LossType::kCispo,
            "cispo",
            Surrogate::kCispo,
            Aggregation::kTokenMean,
            kStep,
            {"sg(min(r, epsilon_high)) A log p, mean over the step's tokens; no token loses its gradient",
             "MiniMax-M1, arXiv 2506.13585; ScaleRL, arXiv 2510.13786", kFree}},
    LossRow{LossType::kSapo,
            "sapo",
            Surrogate::kSapo,
            Aggregation::kSequenceMean,
            kStep,
            {"4 / tau * sigmoid(tau (r - 1)) A, tau by the sign of A, weighted as grpo", "SAPO, arXiv 2511.20347", kFree}},
    LossRow{LossType::kLuspo,
            "luspo",
            Surrogate::kClip,
            Aggregation::kSequenceSum,
            kStep,
            {"the term of grpo, sum over a sequence's tokens, mean over sequences", "TRL", kFree}},
    LossRow{LossType::kVespo,
            "vespo",
            Surrogate::kVespo,
            Aggregation::kTokenMean,
            kStep,
            {"sg(phi) A log p, phi = exp(lambda + k q - lambda e^q), q = the sequence's summed log-ratio to the sampler", "TRL", kFree}},
    LossRow{LossType::kPpo,
            "ppo",
            Surrogate::kClip,
            Aggregation::kTokenMean,
            kStep,
            {"dapo under its older name", "PPO, arXiv 1707.06347, eq. 7", kFree}},
    LossRow{
        LossType::kGmpo,
        "gmpo",
        Surrogate::kGmpo,
        Aggregation::kSequenceMean,
        kStep,
        {"s A, s = exp(mean of the sequence's log-ratios, each bounded to [-epsilon, epsilon_high] (0.4 in the paper) on the side that A "
         "would reward), mean over sequences",
         "GMPO, arXiv 2507.20673", kFree}},
    LossRow{LossType::kReinforce,
            "reinforce",
            Surrogate::kReinforce,
            Aggregation::kTokenMean,
            kStep,
            {"A log p, no ratio, mean over the step's tokens: for one update per rollout", "Williams, Machine Learning 8, 1992", kFree}},
    LossRow{
        LossType::kClipCov,
        "clip_cov",
        Surrogate::kClipCov,
        Aggregation::kTokenMean,
        kStep,
        {"dapo without clip_cov_ratio of the step's tokens, drawn among those whose covariance (A - mean A) (log p - mean log p) lies in "
         "(clip_cov_min, clip_cov_max)",
         "Cui et al., arXiv 2505.22617", kStatistics}},
    LossRow{
        LossType::kKlCov,
        "kl_cov",
        Surrogate::kKlCov,
        Aggregation::kTokenMean,
        kStep,
        {"r A, no clip, and - kl_cov_coef |log r| on the kl_cov_ratio of the step's tokens with the highest covariance, mean over tokens",
         "Cui et al., arXiv 2505.22617", kStatistics}},
};

constexpr std::array kEstimatorTable = {
    EstimatorRow{"group", {"(r - mean of the group) / scale_rewards", "GRPO, arXiv 2402.03300", kFree}},
    EstimatorRow{
        "rloo", {"r - mean of the group's others; normalize_advantages divides by the batch's deviation", "RLOO, arXiv 2402.14740", kFree}},
    EstimatorRow{"reinforce_plus_plus",
                 {"r + token rewards to come, whitened over the batch's tokens; no groups", "REINFORCE++, arXiv 2501.03262", kFree}},
    EstimatorRow{"reinforce_plus_plus_baseline",
                 {"r - mean of the group, whitened over the batch's tokens", "REINFORCE++, arXiv 2501.03262", kFree}},
    EstimatorRow{"remax",
                 {"r + token rewards to come - r of the greedy completion", "ReMax, arXiv 2310.10505", "a greedy completion per prompt"}},
    EstimatorRow{
        "pass_at_k",
        {"mean best of the sets of pass_k completions with this one - mean best of all such sets; scale_rewards group divides by the "
         "deviation of these bests",
         "Pass@k training, arXiv 2508.10751; PKPO, arXiv 2505.15201", kFree}},
    EstimatorRow{"process_supervision",
                 {"sum of the step rewards to come, each normalised over all steps of the group", "DeepSeekMath, arXiv 2402.03300, 4.1.3",
                  "a reward that judges steps, such as equations"}},
};

constexpr std::array kKlTable = {
    KlRow{KlEstimator::kK1,
          "k1",
          {"log p - log ref: unbiased value; as a loss no gradient, in the reward or times the ratio that of KL(policy, ref)",
           "Schulman, 2020", kFree}},
    KlRow{KlEstimator::kK2, "k2", {"(log p - log ref)^2 / 2: biased value; gradient of KL(policy, ref)", "Schulman, 2020", kFree}},
    KlRow{KlEstimator::kK3,
          "k3",
          {"ref / p - 1 - log (ref / p): unbiased value; gradient of KL(ref, policy), times the ratio that of KL(policy, ref)",
           "Schulman, 2020", kFree}},
    KlRow{KlEstimator::kAbs, "abs", {"|log p - log ref|; gradient of twice the total variation distance", "verl", kFree}},
    KlRow{KlEstimator::kK1Plus, "k1+", {"value of k1, gradient of k2", "verl", kFree}},
    KlRow{KlEstimator::kK3Plus, "k3+", {"value of k3, gradient of k2", "verl", kFree}},
};

}  // namespace

std::span<const LossRow> loss_table() { return kLossTable; }
const LossRow& loss_row(LossType type) { return kLossTable.at(static_cast<size_t>(type)); }
std::span<const EstimatorRow> estimator_table() { return kEstimatorTable; }
bool is_builtin_estimator(std::string_view name) {
  return std::ranges::find(kEstimatorTable, name, &EstimatorRow::name) != kEstimatorTable.end();
}
std::span<const KlRow> kl_table() { return kKlTable; }

std::string markdown_table(std::string_view head, std::span<const std::pair<std::string_view, Description>> rows,
                           std::string_view default_name) {
  std::string text = "\n| " + std::string(head) + " | equation | source | costs beside a plain update |\n|---|---|---|---|\n";
  for (const auto& [name, description] : rows) {
    text += "| `" + std::string(name) + (name == default_name ? "` (default) | " : "` | ");
    for (const char c : description.equation) text += c == '|' ? "\\|" : std::string(1, c);
    text += " | " + std::string(description.source) + " | " + std::string(description.cost) + " |\n";
  }
  return text;
}

std::string objective_reference() {
  return "r = exp(log p - old log p), at importance_sampling_level; A = advantage; sg = no gradient. What is maximised, each with beta, "
         "entropy and sampler correction as the options say; the loss is its negative. A loss of your own: `custom_loss`.\n" +
         markdown_table("`loss_type`", kLossTable, loss_row(LossConfig{}.loss_type).name) +
         markdown_table("`advantage_estimator`", kEstimatorTable, AdvantageConfig{}.advantage_estimator) +
         markdown_table("`kl_estimator`", kKlTable, kKlTable.at(static_cast<size_t>(LossConfig{}.kl_estimator)).name) +
         "\n`importance_sampling_level`: `token`; `sequence`, the geometric mean of a sequence's ratios (GSPO, arXiv 2507.18071); "
         "`sequence_token`, its value with each token's own gradient (GSPO-token); `sequence_sum`, their product (RLOO). beta > 0 costs a "
         "frozen copy of the model and a forward pass per rollout, and so does more than one update per rollout (old log-probs, no "
         "copy).\n";
}

}  // namespace grpo
