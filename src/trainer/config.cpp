#include "grpo/trainer/config.h"

#include "grpo/core/config.h"

namespace grpo {
namespace {

void describe_new_model(ConfigVisitor& v, NewModelConfig& c) {
  v.field("hidden_size", c.hidden_size, "Width; 0 = no new model.", kNonNegative);
  v.field("intermediate_size", c.intermediate_size, "Width of the MLP.", kNonNegative);
  v.field("num_hidden_layers", c.num_hidden_layers, "Decoder layers.", kNonNegative);
  v.field("num_attention_heads", c.num_attention_heads, "Query heads.", kNonNegative);
  v.field("num_key_value_heads", c.num_key_value_heads, "Key/value heads; 0 = as many as query heads.", kNonNegative);
  v.field("max_position_embeddings", c.max_position_embeddings, "Longest sequence, tokens.", kPositive);
  v.field("tie_word_embeddings", c.tie_word_embeddings, "The head is the embedding.");
  v.field("rope_theta", c.rope_theta, "Base of the rotary frequencies.", kPositive);
  v.field("extra_tokens", c.extra_tokens, "Texts that become one token each, beside the 256 bytes and the end token.");
}

void describe_source(ConfigVisitor& v, DataSource& c) {
  v.path("path", c.path, "A .jsonl file, or a .json file with an array.");
  v.section("fields", "Which column is what.", [&c](ConfigVisitor& f) {
    f.field("question", c.fields.question, "Column of the question.");
    f.field("answer", c.fields.answer, "Column of the reference answer.");
    f.field("messages", c.fields.messages, "Column of a conversation, instead of the question.");
    f.field("solution", c.fields.solution, "Column of a worked solution.");
    f.field("answer_after", c.fields.answer_after, "The answer is what follows this text in its column (GSM8K: ####).");
  });
  v.field("task", c.task, "Instead of a path: a generated task (countdown, chained_arithmetic).");
  v.options("options", c.options, "Options of the task.");
  v.field("split", c.split, "Of a generated task: train or test; the two never share a problem.");
  v.field("count", c.count, "Problems to generate, or the first so many of a file; 0 = all of a file.", kNonNegative);
  auto seed = static_cast<int64_t>(c.seed);
  v.field("seed", seed, "Seed of a generated task.", kNonNegative);
  c.seed = static_cast<uint64_t>(seed);
}

void describe_data(ConfigVisitor& v, DataSection& c) {
  v.section("train", "Problems to train on.", [&c](ConfigVisitor& s) { describe_source(s, c.train); });
  v.field("prompt_template", c.prompt.prompt_template, "r1_zero, plain, chat (the tokenizer's template), or a text with {question}.");
  v.field("system_prompt", c.prompt.system_prompt, "First message of a chat that brings none.");
  v.field("shuffle_dataset", c.shuffle_dataset, "A new order each epoch.");
  v.field("demonstrations", c.demonstrations, "Supervised training on generated demonstrations of chained_arithmetic.");
  v.section("mix", "Shares of the demonstrations' kinds.", [&c](ConfigVisitor& m) {
    m.field("careful", c.mix.careful, "Every step, right and well formed.", kNonNegative);
    m.field("guess", c.mix.guess, "Little thought, an answer that is near.", kNonNegative);
    m.field("slip", c.mix.slip, "Every step, one of them wrong.", kNonNegative);
    m.field("unformatted", c.mix.unformatted, "Every step, tags missing.", kNonNegative);
  });
}

void describe_objectives(ConfigVisitor& v, AlgorithmSection& c) {
  v.section("ppo", "Of the objective ppo: generalised advantage estimation and the critic.", [&c](ConfigVisitor& s) {
    describe(s, c.ppo.gae);
    s.field("share_backbone", c.ppo.share_backbone, "The value head sits on the policy itself; else the critic is a model of its own.");
    s.field("vf_coef", c.ppo.vf_coef, "Weight of the value loss beside the policy's where they share a backbone.", kNonNegative);
    s.field("value_warmup_steps", c.ppo.value_warmup_steps, "Optimiser steps in which only the critic learns (VAPO: 50).", kNonNegative);
    s.section("optim", "Of the critic.", [&c](ConfigVisitor& o) { describe(o, c.ppo.optim); });
  });
  v.section("prime", "Of the objective prime: the implicit process reward model.", [&c](ConfigVisitor& s) {
    describe(s, c.prime.prime);
    s.field("outcome_reward", c.prime.outcome_reward,
            "The reward function, in [0, 1], that tells right from wrong; empty = accuracy, or else the first.");
    s.section("optim", "Of the process reward model.", [&c](ConfigVisitor& o) { describe(o, c.prime.optim); });
  });
  v.section("dpo", "Of the objective online_dpo and of grpo dpo.", [&c](ConfigVisitor& s) { describe(s, c.dpo); });
  v.section("expert_iteration", "Of the objective expert_iteration.", [&c](ConfigVisitor& s) {
    s.field("reward_threshold", c.expert_iteration.reward_threshold, "Completions of at least this weighted reward are learnt from.");
    s.field("best_of_group", c.expert_iteration.best_of_group, "Only the best one of each group.");
  });
}

void describe_algorithm(ConfigVisitor& v, AlgorithmSection& c) {
  v.enumeration("objective", c.objective, names_of(objective_table()),
                "What is optimised. rloo, reinforce_plus_plus and remax are grpo with the advantage_estimator of that name.");
  describe(v, c.loss);
  describe(v, c.advantage);
  v.field("step_reward", c.step_reward, "process_supervision: the reward function whose steps count; empty = the first that gives some.");
  describe_objectives(v, c);
  v.field("generation_batch_size", c.generation_batch_size, "Completions sampled per rollout.", kCount);
  v.field("steps_per_generation", c.steps_per_generation, "Optimiser steps that one pass over a rollout is cut into.", kCount);
  v.field("num_iterations", c.num_iterations, "Passes over a rollout.", kCount);
  v.field("max_staleness", c.max_staleness,
          "Partial rollouts: a group whose first token would be older, in optimiser steps, by the last step that trains on it is dropped; "
          "null: none is.",
          kNonNegative);
  v.field("mask_truncated_completions", c.mask_truncated_completions, "Completions that were cut off do not enter the loss.");
  v.field("sync_ref_model", c.sync_ref_model,
          "Refresh the reference model of the KL while training; without, it stays what it was at the start.");
  v.field("ref_model_mixup_alpha", c.ref_model_mixup_alpha,
          "The refreshed reference is alpha policy + (1 - alpha) reference (TR-DPO); 1 copies the policy, as DeepSeek-R1 does.", kFraction);
  v.field("ref_model_sync_steps", c.ref_model_sync_steps, "Optimiser steps between refreshes (DeepSeek-R1: 400).", kPositive);
  v.field(
      "offload_ref_model", c.offload_ref_model,
      "Keep the reference model in host memory, and on the GPU only while its log-probs are computed, once per rollout. Changes nothing on "
      "the CPU, nor under LoRA, where the reference is the base.");
  v.field("dynamic_sampling", c.dynamic_sampling, "Drop groups whose rewards are all equal and sample others instead (DAPO).");
  v.field("dynamic_sampling_rounds", c.dynamic_sampling_rounds, "Refills at most; then training goes on with what there is.", kNonNegative);
  v.field("dynamic_sampling_reward", c.dynamic_sampling_reward, "Judge groups by this reward function alone; empty = by the weighted sum.");
  v.field("accuracy_lower_bound", c.accuracy_lower_bound,
          "Dynamic sampling also drops groups whose mean reward, judged so, is below (PRIME: 0.2).", kFraction);
  v.field("accuracy_upper_bound", c.accuracy_upper_bound, "And above (PRIME: 0.8).", kFraction);
  v.field("replay_fraction", c.replay_fraction, "Share of a rollout's problems that are hard ones seen before, the longest waiting first.",
          kFraction);
  v.field("replay_max_pass_rate", c.replay_max_pass_rate, "A problem is hard where at most this share of its samples was right.",
          kFraction);
  v.field("curriculum_max_pass_rate", c.curriculum_max_pass_rate,
          "Problems of which a larger share was right when last sampled are passed over; 1 = none.", kFraction);
}

void describe_trainer(ConfigVisitor& v, TrainerSection& c) {
  v.path("output_dir", c.output_dir, "Where everything of the run goes.");
  v.field("seed", c.seed, "Of sampling, shuffling and initialisation.", kNonNegative);
  v.field("max_steps", c.max_steps, "Optimiser steps; 0 = by num_train_epochs.", kNonNegative);
  v.field("num_train_epochs", c.num_train_epochs, "Passes over the training problems.", kPositive);
  v.field("max_tokens", c.max_tokens, "Tokens of a packed micro-batch.", kPositive);
  v.field("batch_size", c.batch_size, "Examples per optimiser step of supervised training.", kCount);
  v.enumeration("recompute", c.recompute, {"auto", "none", "all"}, "Activations: kept, computed again, or by the budget.");
  v.field("activation_gib", c.activation_gib, "Under auto, more activations than this are computed again.", kPositive);
  v.field("logging_steps", c.logging_steps, "Steps between lines of metrics.jsonl; figures between are averaged.", kPositive);
  v.field("save_steps", c.save_steps, "Steps between checkpoints; 0 = only at the end.", kNonNegative);
  v.field("save_total_limit", c.save_total_limit, "Checkpoints that are kept; 0 = all.", kNonNegative);
  v.field("log_completions", c.log_completions, "Sample completions written per logged step.", kNonNegative);
  v.enumeration("save_dtype", c.save_dtype, {"float32", "bfloat16", "float16"}, "Of the final model folder.");
  v.field("shuffle_rewards", c.shuffle_rewards, "A control: rewards are permuted over the batch, so nothing can be learnt from them.");
  v.field("max_seconds", c.max_seconds, "Stop after so much training time, evaluation excluded; 0 = no limit.", kNonNegative);
  v.field("max_num_tokens", c.max_num_tokens,
          "Stop after the step in which num_tokens (sampled, dropped ones included; or supervised) reaches this; 0 = no limit.",
          kNonNegative);
  v.field("ddp_timeout", c.ddp_timeout, "Seconds that ranks wait for each other before one counts as lost.", kPositive);
}

void describe_eval(ConfigVisitor& v, EvalSection& c) {
  v.section("data", "Problems to evaluate on; none of them may be trained on.", [&c](ConfigVisitor& s) { describe_source(s, c.data); });
  v.field("eval_steps", c.eval_steps, "Steps between evaluations; 0 = none during training.", kNonNegative);
  v.field("num_generations_eval", c.num_generations_eval, "Samples per problem.", kPositive);
  v.field("temperature", c.temperature, "Of the samples.", kNonNegative);
  v.field("greedy", c.greedy, "Evaluate greedily too.");
  v.field("seed", c.seed, "Of the samples: the same at every evaluation.", kNonNegative);
  v.field("max_completion_length", c.max_completion_length, "Tokens; 0 = as in rollout.", kNonNegative);
  v.field("at_start", c.at_start, "Evaluate before the first step.");
  v.field("at_end", c.at_end, "Evaluate after the last step.");
}

}  // namespace

void describe(ConfigVisitor& v, Config& c) {
  v.section("model", "The policy.", [&c](ConfigVisitor& s) {
    s.path("path", c.model.path, "A Hugging Face folder or a .gguf file.");
    s.path("tokenizer", c.model.tokenizer, "A folder, tokenizer.json, .gguf or sentencepiece .model; empty = with the model.");
    s.enumeration("device", c.model.device, {"auto", "cpu", "cuda"},
                  "Where training and sampling run; auto = a GPU where there is one and the build has CUDA.");
    s.enumeration(
        "compute_dtype", c.model.compute_dtype, {"auto", "float32", "bfloat16"},
        "What training computes in; auto = float32 on the CPU, bfloat16 on CUDA. On the CPU bfloat16 rounds the operands of linear "
        "layers and of the head, which is faster where the processor has instructions for it; on CUDA weights, activations and "
        "gradients have this type, and bfloat16 weights have float32 masters.");
    s.field("exact", c.model.exact,
            "Log-probs in training equal the float32 sampler's to the last bit, at the price of a second pass over the head. On the CPU.");
    s.section("new", "A model made from nothing, where path is empty.",
              [&c](ConfigVisitor& n) { describe_new_model(n, c.model.new_model); });
    s.section("lora", "Low-rank adapters that are trained instead of the weights; checkpoints and the final model are then PEFT folders.",
              [&c](ConfigVisitor& l) { describe(l, c.model.lora); });
  });
  v.section("data", "What is trained on.", [&c](ConfigVisitor& s) { describe_data(s, c.data); });
  v.list(
      "reward", "Reward functions; their weighted sum is the reward.", c.reward.size(), [&c](size_t n) { c.reward.resize(n); },
      [&c](ConfigVisitor& s, size_t i) {
        RewardFunction& r = c.reward[i];
        s.field("name", r.name, "In metrics; also the function where that is empty.");
        s.field("function", r.function, "A registered reward.");
        s.field("weight", r.weight, "In the sum; 0 = only reported.");
        s.options("options", r.options, "The function's own options.");
      });
  v.section("rollout", "How completions are sampled.", [&c](ConfigVisitor& s) {
    describe(s, c.rollout.sampling);
    s.field(
        "partial_rollout_length", c.rollout.partial_rollout_length,
        "Partial rollouts (Kimi k1.5): a sample that has not ended after so many tokens waits for the next rollout, which goes on with it "
        "under newer weights; its group is trained on when all its samples have ended. 0 = every sample ends in its own rollout.",
        kNonNegative);
    s.field("final_temperature", c.rollout.final_temperature,
            "The temperature moves from its first value to this one, linearly over the steps of training; null: it stays.", kPositive);
    s.field("max_slots", c.rollout.max_slots,
            "Samples decoded at a time; 0 = as many as the device computes fastest, within `kv_budget_bytes`.", kNonNegative);
    s.field("kv_cache_gib", c.rollout.kv_cache_gib, "Memory for keys and values.", kPositive);
    s.enumeration("compute_dtype", c.rollout.compute_dtype, {"float32", "bfloat16", "int8"},
                  "What linear layers multiply while sampling: float32 samples from the trained distribution; the others are faster, and "
                  "importance sampling corrects for their rounding.");
    s.enumeration("kv_dtype", c.rollout.kv_dtype, {"float32", "bfloat16"},
                  "What keys and values are kept in: bfloat16 takes half the memory, and is corrected for in the same way.");
    s.field("allow_off_policy_sampling", c.rollout.allow_off_policy_sampling,
            "Allow top-k, top-p, min-p and penalties in training, and rounded sampling without importance_sampling_correction.");
  });
  v.section("algorithm", "Advantages and loss.", [&c](ConfigVisitor& s) { describe_algorithm(s, c.algorithm); });
  v.section("optim", "AdamW and its schedule.", [&c](ConfigVisitor& s) { describe(s, c.optim); });
  v.section("trainer", "The run.", [&c](ConfigVisitor& s) { describe_trainer(s, c.trainer); });
  v.section("eval", "Evaluation.", [&c](ConfigVisitor& s) { describe_eval(s, c.eval); });
}

const ConfigAliases& config_aliases() {
  static const ConfigAliases aliases = [] {
    ConfigAliases map = {{"model_name_or_path", "model.path"},
                         {"eval_steps", "eval.eval_steps"},
                         {"num_generations_eval", "eval.num_generations_eval"},
                         {"lora_r", "model.lora.rank"},
                         {"lora_alpha", "model.lora.alpha"},
                         {"lora_dropout", "model.lora.dropout"},
                         {"lora_target_modules", "model.lora.target_modules"},
                         {"use_rslora", "model.lora.use_rslora"}};
    const auto flat = [&map](const std::string& section, std::initializer_list<const char*> names) {
      for (const auto* name : names) map.emplace(name, section + "." + name);
    };
    flat("data", {"prompt_template", "system_prompt", "shuffle_dataset"});
    flat("rollout", {"num_generations", "max_completion_length", "temperature", "top_k", "top_p", "min_p", "repetition_penalty"});
    flat("algorithm", {"loss_type",
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
                       "sapo_temperature_pos",
                       "sapo_temperature_neg",
                       "sync_ref_model",
                       "ref_model_mixup_alpha",
                       "ref_model_sync_steps",
                       "dynamic_sampling"});
    for (const auto* name : {"correction", "mode", "clip_max", "clip_min"}) {
      map.emplace(std::string("vllm_importance_sampling_") + name, std::string("algorithm.importance_sampling_") + name);
    }
    flat("optim", {"learning_rate", "adam_beta1", "adam_beta2", "adam_epsilon", "weight_decay", "max_grad_norm", "lr_scheduler_type",
                   "warmup_steps"});
    flat("trainer",
         {"output_dir", "seed", "max_steps", "num_train_epochs", "logging_steps", "save_steps", "save_total_limit", "ddp_timeout"});
    return map;
  }();
  return aliases;
}

}  // namespace grpo
