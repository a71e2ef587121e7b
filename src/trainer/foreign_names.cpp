// Names that users of TRL and transformers type: GRPOConfig, TrainingArguments, ModelConfig and ScriptArguments. Those that mean the same
// here are short names (config.cpp); each other one has its answer below. tests/trainer/foreign_names_test.cpp walks the lists.
#include "grpo/trainer/config.h"

namespace grpo {
namespace {

using Values = std::map<std::string, std::string>;

const Values kOff = {{"false", ""}, {"null", ""}};
const Values kNone = {{"null", ""}};

/// Names that are options here, with values that are called otherwise.
const ForeignNames kOtherValues = {
    {"chat_template_kwargs", "", kNone},
    {"generation_batch_size", "", kNone},
    {"generation_kwargs", "", kNone},
    {"log_completions", "", {{"false", "0"}, {"true", "4"}}},
    {"max_steps", "", {{"-1", "0"}}},
    {"min_p", "", {{"null", "0"}}},
    {"lr_scheduler_kwargs", "", kNone},
    {"optim", "", {{"\"adamw_torch\"", "\"adamw\""}, {"\"adamw_torch_fused\"", "\"adamw\""}, {"\"adamw_hf\"", "\"adamw\""}}},
    {"report_to", "", {{"null", ""}, {"\"all\"", "\"tensorboard\""}}},
    {"reward_weights", "", kNone},
    {"save_total_limit", "", {{"null", "0"}}},
    {"scale_rewards", "", {{"true", "\"group\""}, {"false", "\"none\""}}},
    {"steps_per_generation", "", kNone},
    {"top_k", "", {{"null", "0"}}},
};

const ForeignNames kSampling = {
    {"use_vllm", "the sampler is part of the program and reads the weights where they lie; rollout.* are its options", kOff},
    {"vllm_*", "there is no vLLM: the sampler is part of the program, and rollout.* are its options", {}},
    {"use_transformers_*", "the sampler always batches continuously; rollout.max_slots says how many samples at a time", kOff},
    {"transformers_continuous_batching_config", "the sampler always batches continuously; see rollout.max_slots and kv_cache_gib", kNone},
    {"cache_implementation", "keys and values are kept in pages; see rollout.kv_cache_gib and kv_dtype", kNone},
    {"use_cache", "sampling always keeps keys and values, and training never does", {{"false", ""}}},
    {"max_prompt_length", "prompts are never cut; data.overlong_prompts says what becomes of those that the model cannot hold", kNone},
    {"max_new_tokens", "rollout.max_completion_length is what it is called here", {}},
    {"stop_strings", "rollout.stop is what it is called here", {}},
    {"do_sample", "training always samples, by rollout.temperature", {{"true", ""}}},
    {"num_beams", "completions are sampled; there is no beam search", {{"1", ""}}},
    {"max_tool_calling_iterations", "a completion is one turn; tools are not called", kNone},
    {"pad_to_multiple_of", "nothing is padded: sequences are packed, up to trainer.max_tokens", kNone},
};

const ForeignNames kComputing = {
    {"bf16", "model.compute_dtype says what training computes in (auto, float32, bfloat16), rollout.compute_dtype what sampling does", {}},
    {"fp16", "float16 is not computed in; model.compute_dtype may be float32 or bfloat16", kOff},
    {"fp16_*", "float16 is not computed in; model.compute_dtype may be float32 or bfloat16", {}},
    {"bf16_full_eval", "evaluation samples as training does, by rollout.compute_dtype", kOff},
    {"fp16_full_eval", "evaluation samples as training does, by rollout.compute_dtype", kOff},
    {"half_precision_backend", "model.compute_dtype says what training computes in", {}},
    {"tf32", "float32 is computed as float32; model.compute_dtype bfloat16 is faster", kOff},
    {"torch_dtype", "model.compute_dtype says what training computes in; files of any float type are read", {}},
    {"dtype", "model.compute_dtype says what training computes in; files of any float type are read", {}},
    {"gradient_checkpointing", "trainer.recompute (auto, none, all) says whether activations are computed again", {}},
    {"gradient_checkpointing_kwargs", "trainer.recompute and activation_gib say whether activations are computed again", kNone},
    {"torch_compile", "there is no compiler to turn on: kernels are compiled with the program", kOff},
    {"torch_compile_*", "there is no compiler to turn on: kernels are compiled with the program", kNone},
    {"torchdynamo", "there is no compiler to turn on: kernels are compiled with the program", kNone},
    {"use_liger_kernel", "logits are never materialised here, with every loss; there is nothing to turn on", kOff},
    {"use_liger_loss", "logits are never materialised here, with every loss; there is nothing to turn on", kOff},
    {"liger_kernel_config", "logits are never materialised here, with every loss; there is nothing to turn on", kNone},
    {"attn_implementation", "attention is part of the program; there is one implementation for each device", kNone},
    {"jit_mode_eval", "there is no compiler to turn on: kernels are compiled with the program", kOff},
    {"use_ipex", "kernels for the processor at hand are chosen at run time", kOff},
    {"use_cpu", "model.device (auto, cpu, cuda) says where training and sampling run", {}},
    {"no_cuda", "model.device (auto, cpu, cuda) says where training and sampling run", {}},
    {"use_mps_device", "model.device may be cpu or cuda", kOff},
    {"tpu_*", "model.device may be cpu or cuda", {{"null", ""}, {"false", ""}}},
    {"cast_lm_head_to_fp32", "the head computes as other linear layers do, by model.compute_dtype", kOff},
    {"load_in_8bit", "weights are not quantised for training; rollout.compute_dtype int8 samples from quantised ones", kOff},
    {"load_in_4bit", "weights are not quantised for training; rollout.compute_dtype int8 samples from quantised ones", kOff},
    {"bnb_*", "weights are not quantised for training", {}},
    {"use_bnb_nested_quant", "weights are not quantised for training", kOff},
    {"torch_empty_cache_steps", "memory is given back between sampling and training; there is nothing to set", kNone},
    {"auto_find_batch_size", "micro-batches are cut by trainer.max_tokens; the plan of a run shows the memory they take", kOff},
    {"skip_memory_metrics", "metrics.jsonl has what is measured; there is nothing to turn on", {{"true", ""}}},
    {"full_determinism",
     "equal seeds give equal runs anyway, on one instruction set; model.exact makes log-probs those of the sampler",
     {}},
    {"debug", "a loss or gradient that is not finite stops the run anyway", {{"\"\"", ""}, {"[]", ""}}},
};

const ForeignNames kManyDevices = {
    {"deepspeed", "optimisers are not sharded yet; processes started by torchrun, Slurm or Open MPI train data parallel", kNone},
    {"ds3_gather_for_generation", "weights are not sharded yet: every process holds them all", {{"true", ""}}},
    {"fsdp",
     "weights are not sharded yet; processes started by torchrun, Slurm or Open MPI train data parallel",
     {{"\"\"", ""}, {"[]", ""}, {"null", ""}, {"false", ""}}},
    {"fsdp_*", "weights are not sharded yet; processes started by torchrun, Slurm or Open MPI train data parallel", kNone},
    {"accelerator_config", "there is no Accelerate; processes started by torchrun, Slurm or Open MPI train data parallel", kNone},
    {"parallelism_config", "there is no Accelerate; processes started by torchrun, Slurm or Open MPI train data parallel", kNone},
    {"ddp_backend", "Gloo connects CPUs, NCCL GPUs; there is nothing to choose", kNone},
    {"ddp_*", "gradients are summed in flat buffers; there is nothing to set but ddp_timeout", kNone},
    {"local_rank", "a process learns its place from torchrun, Slurm or Open MPI", {{"-1", ""}}},
    {"mp_parameters", "there is no model parallelism", {{"\"\"", ""}}},
    {"ray_scope", "there is no Ray and no hyperparameter search", {}},
    {"average_tokens_across_devices", "losses are always normalised by the tokens of all processes", {{"true", ""}}},
    {"split_batches", "a rollout is the same whatever the number of processes, which share its samples evenly", kNone},
    {"dispatch_batches", "a rollout is the same whatever the number of processes, which share its samples evenly", kNone},
};

const ForeignNames kData = {
    {"dataset_name", "data.train.path takes a .jsonl, .json, .csv or .tsv file; download the data set first", {}},
    {"dataset_config", "data.train.path takes a .jsonl, .json, .csv or .tsv file; download the data set first", kNone},
    {"dataset_*", "data.train.path takes a .jsonl, .json, .csv or .tsv file, and eval.data.path the one to evaluate on", {}},
    {"remove_unused_columns", "rewards always see every column of a row", {{"false", ""}}},
    {"label_names", "data.train.fields says which column is what", kNone},
    {"dataloader_*", "problems are in memory and dealt by the trainer: there is no data loader", {}},
    {"data_seed", "trainer.seed is that of the data's order too", kNone},
    {"group_by_length", "sequences are packed without padding; there is nothing to sort", kOff},
    {"length_column_name", "sequences are packed without padding; there is nothing to sort", {}},
    {"train_sampling_strategy", "data.shuffle_dataset says whether problems are shuffled", {}},
    {"ignore_data_skip", "a run that is resumed goes on with the problem that comes next", kOff},
    {"past_index", "there is no such state in a decoder", {{"-1", ""}}},
};

const ForeignNames kModel = {
    {"model_init_kwargs", "model.* are its options", kNone},
    {"model_revision", "model.path is a folder on disk; download the revision that you want", {}},
    {"trust_remote_code", "no code of a model is run: its family must be known", kOff},
    {"router_aux_loss_coef", "mixtures of experts are not supported", {}},
    {"disable_dropout", "models are trained without dropout; model.lora.dropout is that of adapters", {{"true", ""}}},
    {"use_peft", "adapters are trained where model.lora.rank (lora_r) is above 0", {}},
    {"use_dora", "adapters are plain LoRA, or rsLoRA by use_rslora", kOff},
    {"lora_task_type", "adapters are those of language models", {{"\"CAUSAL_LM\"", ""}}},
    {"lora_target_parameters", "model.lora.target_modules names the linear layers that get adapters", kNone},
    {"lora_modules_to_save", "with adapters nothing else is trained", kNone},
    {"neftune_noise_alpha", "embeddings get no noise", kNone},
    {"label_smoothing_factor",
     "the loss of supervised training has no label smoothing; algorithm.dpo.label_smoothing is that of DPO",
     {{"0", ""}, {"0.0", ""}}},
    {"vllm_importance_sampling_cap", "importance_sampling_clip_max is what it is called now", kNone},
};

const ForeignNames kOptimiser = {
    {"warmup_ratio", "warmup_steps says over how many updates the rate rises", {{"0", ""}, {"0.0", ""}, {"null", ""}}},
    {"adafactor", "optim.optimizer says which one updates", kOff},
    {"optim_args",
     "adam_beta1, adam_beta2, adam_epsilon and weight_decay are options; optim.optimizer_options are those of an own optimizer", kNone},
    {"optim_target_modules", "all trained weights are updated by one optimiser", kNone},
    {"reward_model_name_or_path", "a reward with the function reward_model and its option path", kNone},
    {"max_length", "data.overlong_prompts says what becomes of examples that the model cannot hold", kNone},
    {"batch_size", "trainer.batch_size, or algorithm.generation_batch_size for reinforcement learning", {}},
    {"per_gpu_*", "per_device_train_batch_size is what it is called now", kNone},
};

constexpr auto kCommands = "the command says it: grpo train, grpo eval";
constexpr auto kHub = "nothing is uploaded; the folder `model` of a run can be, by hf upload";
constexpr auto kEvaluates = "evaluation samples completions and scores them; eval.* are its options";

const ForeignNames kRun = {
    {"resume_from_checkpoint",
     "whoever starts the run says it: the option resume of grpo train goes on from the newest checkpoint, or from the one that it names",
     kOff},
    {"run_name", "a run is called by its folder, trainer.output_dir", kNone},
    {"project", "a run is called by its folder, trainer.output_dir", {}},
    {"trackio_*", "metrics.jsonl and TensorBoard's events are what is written", kNone},
    {"logging_dir", "TensorBoard's events are in the folder `events` of trainer.output_dir", kNone},
    {"logging_strategy", "logging_steps says how often metrics are written", {{"\"steps\"", ""}}},
    {"logging_first_step", "logging_steps 1 writes every step", {}},
    {"logging_nan_inf_filter", "a loss that is not finite stops the run", kOff},
    {"log_level", "the log always says what happens", {{"\"passive\"", ""}}},
    {"log_level_replica", "rank 0 alone speaks", {}},
    {"log_on_each_node", "rank 0 alone speaks", kOff},
    {"log_multimodal", "completions are text", {}},
    {"log_unique_prompts", "trainer.log_completions says how many completions a logged step shows", kOff},
    {"wandb_log_unique_prompts", "trainer.log_completions says how many completions a logged step shows", kOff},
    {"log_completions_hub_repo", kHub, kNone},
    {"num_completions_to_print", "trainer.log_completions says how many completions a logged step shows", kNone},
    {"disable_tqdm", "progress is shown on a terminal alone", {}},
    {"include_tokens_per_second", "metrics.jsonl has tokens and times of every step", {{"true", ""}}},
    {"include_num_input_tokens_seen", "metrics.jsonl has num_tokens", {{"true", ""}, {"\"all\"", ""}}},
    {"save_strategy", "save_steps and save_minutes say how often checkpoints are made; 0 = only at the end", {{"\"steps\"", ""}}},
    {"save_safetensors", "weights are always saved as safetensors", {{"true", ""}}},
    {"save_on_each_node", "rank 0 alone writes the run's folder, which all ranks can read", kOff},
    {"save_only_model", "a checkpoint always has what a resumed run needs", kOff},
    {"enable_jit_checkpoint",
     "SIGTERM always makes a checkpoint; trainer.on_signal says whether the step is finished first",
     {{"true", ""}}},
    {"restore_callback_states_from_checkpoint", "there are no callbacks with a state", kOff},
    {"overwrite_output_dir", "a folder that holds another run is never overwritten: choose another trainer.output_dir, or resume that run",
     kOff},
    {"load_best_model_at_end", "the final model is the last one; checkpoints of earlier steps are kept by save_total_limit", kOff},
    {"metric_for_best_model", "there is no best model; grpo checkpoint list shows what evaluations gave", kNone},
    {"greater_is_better", "there is no best model; grpo checkpoint list shows what evaluations gave", kNone},
    {"do_train", kCommands, {}},
    {"do_eval", kCommands, {}},
    {"do_predict", kCommands, {}},
    {"eval_strategy", "eval_steps says how often the model is evaluated, eval.at_start and eval.at_end whether it is then", {}},
    {"evaluation_strategy", "eval_steps says how often the model is evaluated, eval.at_start and eval.at_end whether it is then", {}},
    {"eval_delay", "the first evaluation is after eval_steps steps, or before the first with eval.at_start", {{"0", ""}, {"null", ""}}},
    {"eval_accumulation_steps", kEvaluates, kNone},
    {"eval_do_concat_batches", kEvaluates, {}},
    {"eval_use_gather_object", kEvaluates, kOff},
    {"per_device_eval_batch_size", "samples are batched by rollout.max_slots, in evaluation too", {}},
    {"batch_eval_metrics", kEvaluates, kOff},
    {"prediction_loss_only", kEvaluates, kOff},
    {"include_inputs_for_metrics", kEvaluates, kOff},
    {"include_for_metrics", kEvaluates, {{"[]", ""}}},
    {"use_legacy_prediction_loop", kEvaluates, kOff},
    {"push_to_hub", kHub, kOff},
    {"push_to_hub_*", kHub, kNone},
    {"hub_*", kHub, kNone},
};

}  // namespace

const ForeignNames& foreign_names() {
  static const ForeignNames names = [] {
    ForeignNames all;
    for (const auto* part : {&kOtherValues, &kSampling, &kComputing, &kManyDevices, &kData, &kModel, &kOptimiser, &kRun})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }();
  return names;
}

std::string foreign_reference() {
  std::string text = "| name | here |\n|---|---|\n";
  for (const ForeignName& name : foreign_names()) {
    std::string harmless;
    for (const auto& [value, meant] : name.values) {
      if (meant.empty()) harmless += (harmless.empty() ? "" : ", ") + ("`" + value + "`");
    }
    if (!name.answer.empty()) text += "| `" + name.name + "` | " + name.answer + (harmless.empty() ? "" : "; taken: " + harmless) + " |\n";
  }
  return text;
}

}  // namespace grpo
