#include "grpo/trainer/config.h"

#include "grpo/core/config.h"

namespace grpo {

void describe(ConfigVisitor& v, TrainerSection& c) {
  v.path("output_dir", c.output_dir, "Where everything of the run goes.");
  v.field("seed", c.seed, "Of sampling, shuffling and initialisation.", kNonNegative);
  v.field("max_steps", c.max_steps, "Optimiser steps; 0 = by num_train_epochs.", kNonNegative);
  v.field("num_train_epochs", c.num_train_epochs, "Passes over the training problems.", kPositive);
  v.field("max_tokens", c.max_tokens, "Tokens of a packed micro-batch.", kPositive);
  v.field("batch_size", c.batch_size, "Examples per optimiser step of supervised training.", kCount);
  v.field(
      "per_device_train_batch_size", c.per_device_train_batch_size,
      "A check for recipes of TRL, where it cuts micro-batches, which max_tokens does here: times gradient_accumulation_steps and "
      "processes it must be what one optimiser step learns from, generation_batch_size / steps_per_generation or batch_size. null: 8 if "
      "the other is given.",
      kCount);
  v.field("gradient_accumulation_steps", c.gradient_accumulation_steps,
          "Its other factor. null: 1 if per_device_train_batch_size is given.", kCount);
  v.enumeration("recompute", c.recompute, {"auto", "none", "all"}, "Activations: kept, computed again, or by the budget.");
  v.field("activation_gib", c.activation_gib, "Under auto, more activations than this are computed again.", kPositive);
  v.parts("report_to", c.report_to, "sink",
          "Where figures go beside metrics.jsonl: tensorboard (event files in the folder events), none, or sinks of your own.");
  v.options("report_to_options", c.report_to_options, "The options of these sinks, by sink: {\"mine\": {\"url\": …}}.");
  v.field("logging_steps", c.logging_steps, "Steps between lines of metrics.jsonl; figures between are averaged.", kPositive);
  v.field("save_steps", c.save_steps, "Steps between checkpoints; 0 = only at the end.", kNonNegative);
  v.field("save_minutes", c.save_minutes, "Minutes after which a checkpoint is made though save_steps asks for none; 0 = never.",
          kNonNegative);
  v.field("save_total_limit", c.save_total_limit, "Checkpoints that are kept; 0 = all.", kNonNegative);
  v.field("log_completions", c.log_completions, "Sample completions written per logged step.", kNonNegative);
  v.enumeration("save_dtype", c.save_dtype, {"float32", "bfloat16", "float16"}, "Of the final model folder.");
  v.field("shuffle_rewards", c.shuffle_rewards, "A control: rewards are permuted over the batch, so nothing can be learnt from them.");
  v.field("max_seconds", c.max_seconds, "Stop after so much training time, evaluation excluded; 0 = no limit.", kNonNegative);
  v.field("max_num_tokens", c.max_num_tokens,
          "Stop after the step in which num_tokens (sampled, dropped ones included; or supervised) reaches this; 0 = no limit.",
          kNonNegative);
  v.field("ddp_timeout", c.ddp_timeout, "Seconds that ranks wait for each other before one counts as lost.", kPositive);
  v.enumeration(
      "on_signal", c.on_signal, {"abandon", "finish_step"},
      "What SIGINT, SIGTERM, SIGUSR1 and SIGHUP do: abandon samples, verdicts and evaluations under way, which a resumed run makes "
      "again, or finish the step first. Either way a checkpoint follows, and the exit status is 75.");
}

void describe(ConfigVisitor& v, Config& c) {
  v.section("model", "The policy.", [&c](ConfigVisitor& s) { describe(s, c.model); });
  v.section("data", "What is trained on.", [&c](ConfigVisitor& s) { describe(s, c.data); });
  v.list(
      "reward", "Reward functions; their weighted sum is the reward.", c.reward.size(), [&c](size_t n) { c.reward.resize(n); },
      [&c](ConfigVisitor& s, size_t i) { describe(s, c.reward[i]); });
  v.section("rollout", "How completions are sampled.", [&c](ConfigVisitor& s) { describe(s, c.rollout); });
  v.section("algorithm", "Advantages and loss.", [&c](ConfigVisitor& s) { describe(s, c.algorithm); });
  v.section("optim", "The optimizer and its schedule.", [&c](ConfigVisitor& s) { describe(s, c.optim); });
  v.section("trainer", "The run.", [&c](ConfigVisitor& s) { describe(s, c.trainer); });
  v.section("eval", "Evaluation.", [&c](ConfigVisitor& s) { describe(s, c.eval); });
}

namespace {

constexpr std::initializer_list<const char*> kAlgorithmNames = {"loss_type",
                                                                "beta",
                                                                "epsilon",
                                                                "epsilon_high",
                                                                "delta",
                                                                "num_iterations",
                                                                "max_staleness",
                                                                "steps_per_generation",
                                                                "generation_batch_size",
                                                                "scale_rewards",
                                                                "multi_objective_aggregation",
                                                                "reward_weights",
                                                                "advantage_estimator",
                                                                "normalize_advantages",
                                                                "reward_clip_range",
                                                                "custom_loss",
                                                                "mask_truncated_completions",
                                                                "importance_sampling_level",
                                                                "importance_sampling_correction",
                                                                "importance_sampling_mode",
                                                                "importance_sampling_clip_max",
                                                                "importance_sampling_clip_min",
                                                                "off_policy_mask_threshold",
                                                                "kl_estimator",
                                                                "use_bias_correction_kl",
                                                                "use_kl_in_reward",
                                                                "top_entropy_quantile",
                                                                "entropy_coef",
                                                                "use_adaptive_entropy",
                                                                "entropy_coef_min",
                                                                "entropy_coef_max",
                                                                "entropy_coef_delta",
                                                                "entropy_target",
                                                                "vespo_k_pos",
                                                                "vespo_lambda_pos",
                                                                "vespo_k_neg",
                                                                "vespo_lambda_neg",
                                                                "sapo_temperature_pos",
                                                                "sapo_temperature_neg",
                                                                "sync_ref_model",
                                                                "ref_model_mixup_alpha",
                                                                "ref_model_sync_steps",
                                                                "dynamic_sampling"};

}  // namespace

const ConfigAliases& config_aliases() {
  static const ConfigAliases aliases = [] {
    ConfigAliases map = {{"model_name_or_path", "model.path"},   {"eval_steps", "eval.eval_steps"},
                         {"eval_on_start", "eval.at_start"},     {"optim", "optim.optimizer"},
                         {"generation_kwargs", "rollout"},       {"num_generations_eval", "eval.num_generations_eval"},
                         {"lora_r", "model.lora.rank"},          {"lora_alpha", "model.lora.alpha"},
                         {"lora_dropout", "model.lora.dropout"}, {"lora_target_modules", "model.lora.target_modules"},
                         {"use_rslora", "model.lora.use_rslora"}};
    const auto flat = [&map](const std::string& section, std::initializer_list<const char*> names) {
      for (const auto* name : names) map.emplace(name, section + "." + name);
    };
    flat("data", {"prompt_template", "system_prompt", "shuffle_dataset", "chat_template_kwargs"});
    flat("rollout", {"num_generations", "max_completion_length", "temperature", "top_k", "top_p", "min_p", "repetition_penalty"});
    flat("algorithm", kAlgorithmNames);
    for (const auto* name : {"correction", "mode", "clip_max", "clip_min"}) {
      map.emplace(std::string("vllm_importance_sampling_") + name, std::string("algorithm.importance_sampling_") + name);
    }
    flat("optim", {"learning_rate", "adam_beta1", "adam_beta2", "adam_epsilon", "weight_decay", "max_grad_norm", "lr_scheduler_type",
                   "lr_scheduler_kwargs", "warmup_steps"});
    flat("trainer", {"output_dir", "seed", "max_steps", "num_train_epochs", "logging_steps", "save_steps", "save_total_limit",
                     "ddp_timeout", "log_completions", "report_to", "per_device_train_batch_size", "gradient_accumulation_steps"});
    return map;
  }();
  return aliases;
}

}  // namespace grpo
