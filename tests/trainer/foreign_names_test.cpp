// Names from configs of TRL and transformers. Oracle: the fields of their classes, as read in December 2026, older names that recipes
// still have among them.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/trainer/config.h"

namespace grpo {
namespace {

/// transformers.TrainingArguments, versions 4.50 to 5.
constexpr auto kTrainingArguments =
    "output_dir overwrite_output_dir do_train do_eval do_predict eval_strategy evaluation_strategy prediction_loss_only "
    "per_device_train_batch_size per_device_eval_batch_size per_gpu_train_batch_size per_gpu_eval_batch_size gradient_accumulation_steps "
    "eval_accumulation_steps eval_delay torch_empty_cache_steps learning_rate weight_decay adam_beta1 adam_beta2 adam_epsilon "
    "max_grad_norm num_train_epochs max_steps lr_scheduler_type lr_scheduler_kwargs warmup_ratio warmup_steps log_level log_level_replica "
    "log_on_each_node logging_dir logging_strategy logging_first_step logging_steps logging_nan_inf_filter save_strategy save_steps "
    "save_total_limit save_safetensors save_on_each_node save_only_model restore_callback_states_from_checkpoint no_cuda use_cpu "
    "use_mps_device seed data_seed jit_mode_eval use_ipex bf16 fp16 fp16_opt_level fp16_backend half_precision_backend bf16_full_eval "
    "fp16_full_eval tf32 local_rank ddp_backend tpu_num_cores tpu_metrics_debug debug dataloader_drop_last eval_steps "
    "dataloader_num_workers dataloader_prefetch_factor past_index run_name disable_tqdm remove_unused_columns label_names "
    "load_best_model_at_end metric_for_best_model greater_is_better ignore_data_skip fsdp fsdp_min_num_params fsdp_config "
    "fsdp_transformer_layer_cls_to_wrap accelerator_config parallelism_config deepspeed label_smoothing_factor optim optim_args adafactor "
    "group_by_length length_column_name report_to project trackio_space_id ddp_find_unused_parameters ddp_bucket_cap_mb "
    "ddp_broadcast_buffers dataloader_pin_memory dataloader_persistent_workers skip_memory_metrics use_legacy_prediction_loop push_to_hub "
    "resume_from_checkpoint hub_model_id hub_strategy hub_token hub_private_repo hub_always_push hub_revision gradient_checkpointing "
    "gradient_checkpointing_kwargs include_inputs_for_metrics include_for_metrics eval_do_concat_batches push_to_hub_model_id "
    "push_to_hub_organization push_to_hub_token mp_parameters auto_find_batch_size full_determinism torchdynamo ray_scope ddp_timeout "
    "torch_compile torch_compile_backend torch_compile_mode dispatch_batches split_batches include_tokens_per_second "
    "include_num_input_tokens_seen neftune_noise_alpha optim_target_modules batch_eval_metrics eval_on_start use_liger_kernel "
    "liger_kernel_config eval_use_gather_object average_tokens_across_devices train_sampling_strategy enable_jit_checkpoint use_cache";

/// trl.GRPOConfig beyond them, versions 0.19 to 1.16, and RLOOConfig's.
constexpr auto kGrpoConfig =
    "model_init_kwargs trust_remote_code router_aux_loss_coef disable_dropout cast_lm_head_to_fp32 max_prompt_length num_generations "
    "num_generations_eval max_completion_length ds3_gather_for_generation shuffle_dataset pad_to_multiple_of generation_batch_size "
    "steps_per_generation temperature top_p top_k min_p generation_kwargs chat_template_kwargs repetition_penalty cache_implementation "
    "use_transformers_continuous_batching transformers_continuous_batching_config use_transformers_paged use_vllm vllm_mode "
    "vllm_model_impl vllm_enable_sleep_mode vllm_structured_outputs_regex vllm_guided_decoding_regex vllm_server_base_url vllm_server_host "
    "vllm_server_port vllm_server_timeout vllm_group_port vllm_gpu_memory_utilization vllm_max_model_length vllm_tensor_parallel_size beta "
    "num_iterations epsilon epsilon_high delta sapo_temperature_neg sapo_temperature_pos vespo_k_pos vespo_lambda_pos vespo_k_neg "
    "vespo_lambda_neg importance_sampling_level reward_weights multi_objective_aggregation scale_rewards loss_type "
    "mask_truncated_completions sync_ref_model ref_model_mixup_alpha ref_model_sync_steps top_entropy_quantile entropy_coef "
    "use_adaptive_entropy entropy_coef_min entropy_coef_max entropy_coef_delta entropy_target use_liger_loss max_tool_calling_iterations "
    "vllm_importance_sampling_correction vllm_importance_sampling_mode vllm_importance_sampling_cap vllm_importance_sampling_clip_max "
    "vllm_importance_sampling_clip_min off_policy_mask_threshold use_bias_correction_kl log_completions log_multimodal "
    "num_completions_to_print log_unique_prompts wandb_log_unique_prompts log_completions_hub_repo normalize_advantages reward_clip_range";

/// trl.ModelConfig and ScriptArguments: what a recipe in YAML has beside them.
constexpr auto kModelAndScript =
    "model_name_or_path model_revision dtype torch_dtype attn_implementation use_peft lora_r lora_alpha lora_dropout lora_target_modules "
    "lora_target_parameters lora_modules_to_save lora_task_type use_rslora use_dora load_in_8bit load_in_4bit bnb_4bit_quant_type "
    "bnb_4bit_quant_storage use_bnb_nested_quant dataset_name dataset_config dataset_train_split dataset_test_split dataset_streaming "
    "reward_model_name_or_path";

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto* list : {kTrainingArguments, kGrpoConfig, kModelAndScript}) {
    for (auto& name : words(list)) names.push_back(std::move(name));
  }
  return names;
}

/// "" if the text is taken.
std::string complaint_about(const std::string& text) {
  try {
    ConfigSource source = config_source();
    source.add_text(text, "run.json");
    Config config;
    read_config(source, config);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
}

TEST(ForeignNames, EveryOneIsTakenOrAnswered) {
  const auto names = all_names();
  EXPECT_GT(names.size(), 240u);
  for (const auto& name : names) {
    const std::string message = complaint_about("{\"" + name + "\": [[\"no value of anything\"]]}");
    if (config_aliases().contains(name)) {
      EXPECT_NE(message.find(": expected "), std::string::npos) << name << ": " << message;  // known, and of another type
    } else {
      EXPECT_TRUE(message.starts_with("run.json:1: " + name + ": unknown option: ") || message.find(": expected ") != std::string::npos)
          << name << ": " << message;
    }
  }
}

TEST(ForeignNames, NoneIsTwoThings) {
  for (const auto& name : foreign_names()) {
    EXPECT_EQ(std::ranges::count(foreign_names(), name.name, &ForeignName::name), 1) << name.name;
    EXPECT_EQ(name.answer.empty(), config_aliases().contains(name.name)) << name.name;
  }
}

// Oracle: what the program does anyway.
TEST(ForeignNames, ValuesThatSayWhatHappensAnywayAreTaken) {
  const std::string plain = [] { return write_config(Config()); }();
  for (const std::string setting :
       {"\"push_to_hub\": false", "\"use_vllm\": false", "\"remove_unused_columns\": false", "\"fp16\": false", "\"deepspeed\": null",
        "\"optim\": \"adamw_torch\"", "\"max_steps\": -1", "\"generation_kwargs\": null"}) {
    Config config;
    ConfigSource source = config_source();
    source.add_text("{" + setting + "}", "run.json");
    read_config(source, config);
    EXPECT_EQ(write_config(config), plain) << setting;
  }
  for (const std::string setting : {"\"push_to_hub\": true", "\"use_vllm\": true", "\"remove_unused_columns\": true", "\"fp16\": true",
                                    "\"bf16\": false", "\"optim\": {\"adam\": 1}", "\"vllm_mode\": null"}) {
    EXPECT_NE(complaint_about("{" + setting + "}"), "") << setting;
  }
}

TEST(ForeignNames, SynonymsMeanTheSame) {
  for (const auto& [theirs, ours] : std::vector<std::pair<std::string, std::string>>{
           {"\"scale_rewards\": false", "\"algorithm\": {\"scale_rewards\": \"none\"}"},
           {"\"generation_kwargs\": {\"top_k\": 5, \"stop\": \"x\"}", "\"rollout\": {\"top_k\": 5, \"stop\": [\"x\"]}"},
           {"\"chat_template_kwargs\": {\"enable_thinking\": false}", "\"data\": {\"chat_template_kwargs\": {\"enable_thinking\": false}}"},
           {"\"log_completions\": false", "\"trainer\": {\"log_completions\": 0}"},
           {"\"eval_on_start\": true", "\"eval\": {\"at_start\": true}"}}) {
    std::string written[2];
    for (int i = 0; i < 2; ++i) {
      Config config;
      ConfigSource source = config_source();
      source.add_text("{" + (i == 0 ? theirs : ours) + "}", "run.json");
      read_config(source, config);
      written[i] = write_config(config);
    }
    EXPECT_EQ(written[0], written[1]) << theirs;
    EXPECT_NE(written[0], write_config(Config())) << theirs;
  }
}

// Oracle: products by hand; generation_batch_size 64 in 2 steps, batch_size 32.
TEST(ForeignNames, StepSizesAreChecked) {
  Config config;
  config.algorithm.steps_per_generation = 2;
  const auto refused = [&](Command command, int64_t processes) {
    try {
      check_step_size(config, command, processes);
      return false;
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kUsage;
    }
  };
  EXPECT_FALSE(refused(Command::kTrain, 7));  // nothing is given
  config.trainer.per_device_train_batch_size = 4;
  config.trainer.gradient_accumulation_steps = 8;
  for (const auto command : {Command::kTrain, Command::kSft, Command::kDpo}) {
    EXPECT_FALSE(refused(command, 1));
    EXPECT_TRUE(refused(command, 2));
  }
  config.trainer.gradient_accumulation_steps = 4;
  EXPECT_TRUE(refused(Command::kTrain, 1));
  EXPECT_FALSE(refused(Command::kTrain, 2));
  config.trainer.per_device_train_batch_size.reset();  // 8
  EXPECT_FALSE(refused(Command::kTrain, 1));
  config.trainer.per_device_train_batch_size = 16;
  config.trainer.gradient_accumulation_steps.reset();  // 1
  EXPECT_FALSE(refused(Command::kTrain, 2));
}

}  // namespace
}  // namespace grpo
