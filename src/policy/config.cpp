#include "grpo/policy/config.h"

#include "core/faults.h"
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

}  // namespace

void describe(ConfigVisitor& v, ModelSection& c) {
  v.path("path", c.path, "A Hugging Face folder or a .gguf file.");
  v.path("tokenizer", c.tokenizer, "A folder, tokenizer.json, .gguf or sentencepiece .model; empty = with the model.");
  v.enumeration("device", c.device, {"auto", "cpu", "cuda"},
                "Where training and sampling run; auto = a GPU where there is one and the build has CUDA.");
  v.enumeration("compute_dtype", c.compute_dtype, {"auto", "float32", "bfloat16"},
                "What training computes in; auto = float32 on the CPU, bfloat16 on CUDA. On the CPU bfloat16 rounds the operands of linear "
                "layers and of the head, which is faster where the processor has instructions for it; on CUDA weights, activations and "
                "gradients have this type, and bfloat16 weights have float32 masters.");
  v.field("exact", c.exact,
          "Log-probs in training equal the float32 sampler's to the last bit, at the price of a second pass over the head. On the CPU.");
  v.section("new", "A model made from nothing, where path is empty.", [&c](ConfigVisitor& n) { describe_new_model(n, c.new_model); });
  v.section("lora", "Low-rank adapters that are trained instead of the weights; checkpoints and the final model are then PEFT folders.",
            [&c](ConfigVisitor& l) { describe(l, c.lora); });
}

void validate(const ModelSection& m) {
  Faults faults;
  const auto& n = m.new_model;
  faults.need(!m.path.empty() || n.hidden_size > 0, "model: expected a path, or the shape of a new model under model.new");
  faults.need(m.path.empty() || n.hidden_size == 0, "model: expected a path or model.new, not both");
  faults.need(!m.exact || m.compute_dtype != ModelSection::ComputeDType::kBFloat16,
              "model.exact: expected compute_dtype float32, in which the sampler computes");
  faults.run([&] { validate(m.lora); });
  const bool adapted = m.lora.rank > 0 || !m.lora.path.empty();
  faults.need(!adapted || !m.path.empty(), "model.lora: expected model.path: adapters are saved without the base, which must be on disk");
  faults.need(!adapted || !m.exact, "model.lora: expected model.exact off: the sampler folds adapters into its weights");
  faults.need(m.lora.rank == 0 || m.lora.path.empty(), "model.lora: expected a rank for new adapters or a path, not both");
  faults.need(!m.exact || m.device != ModelSection::Device::kCuda, "model.exact: expected device cpu");
  if (n.hidden_size > 0) {
    faults.need(n.num_hidden_layers > 0 && n.intermediate_size > 0 && n.num_attention_heads > 0,
                "model.new: expected num_hidden_layers, intermediate_size and num_attention_heads");
    faults.need(n.num_attention_heads == 0 || n.hidden_size % n.num_attention_heads == 0,
                "model.new: num_attention_heads must divide hidden_size");
  }
  faults.raise_lines();
}

void describe(ConfigVisitor& v, EvalSection& c) {
  v.section("data", "Problems to evaluate on; none of them may be trained on.", [&c](ConfigVisitor& s) { describe(s, c.data); });
  v.field("eval_steps", c.eval_steps, "Steps between evaluations; 0 = none during training.", kNonNegative);
  v.field("num_generations_eval", c.num_generations_eval, "Samples per problem.", kPositive);
  v.field("temperature", c.temperature, "Of the samples.", kNonNegative);
  v.field("greedy", c.greedy, "Evaluate greedily too.");
  v.field("seed", c.seed, "Of the samples: the same at every evaluation.", kNonNegative);
  v.field("max_completion_length", c.max_completion_length, "Tokens; 0 = as in rollout.", kNonNegative);
  v.field("at_start", c.at_start, "Evaluate before the first step.");
  v.field("at_end", c.at_end, "Evaluate after the last step.");
}

}  // namespace grpo
