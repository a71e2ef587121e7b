#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/packed.h"
#include "grpo/model/arena.h"
#include "grpo/model/config.h"
#include "grpo/model/lora.h"
#include "grpo/model/view.h"

namespace GRPO_API grpo {

/// Per (row, target) pair of a packed batch, in the batch's order.
struct TokenOutputs {
  at::Tensor logprobs;  // [M] float32, nats: log softmax(logits / temperature)[target]
  at::Tensor entropy;   // [M] float32, nats: of softmax(logits / temperature); undefined unless asked for
  at::Tensor values;    // [M] float32: the value head at each pair's row, before its target is known; undefined unless asked for
};

struct LogprobOptions {
  double temperature = 1.0;  // logits are divided by it before the softmax
  bool entropy = false;      // compute entropies too
  bool adapter = true;       // false: the base alone, as if there were no LoRA
  bool logprobs = true;      // false: neither log-probs nor entropies
  bool values = false;       // the value head's, which the model must have
};

/// Whether a layer's activations are kept for its backward or computed again.
enum class Recompute { kAuto, kNone, kAll };

struct BackwardOptions {
  double temperature = 1.0;
  Recompute recompute = Recompute::kAuto;        // auto: keep while the kept activations fit `activation_budget`
  int64_t activation_budget = int64_t{2} << 30;  // bytes
  bool logprobs = true;                          // log-probs and entropies are computed
  bool values = false;                           // the value head's are
};

/// How the training forward and backward compute.
struct ComputeOptions {
  at::ScalarType dtype = at::kFloat;  // of the operands of linear layers and head; weights, sums, gradients and the rest stay in float32
  bool exact = false;                 // log-probs equal the float32 decode engine's to the last bit
};

/// Around each layer's use: where sharded weights are gathered and gradients reduced. Called with the arena's number.
struct LayerHooks {
  std::function<void(size_t)> before_forward, after_forward, before_backward, after_backward;
};

/// The decoder, families being configuration. Parameters live in arenas: embedding, one per layer, head.
class Transformer {
 public:
  /// Uninitialised weights; `load_model` and `init_weights` fill them.
  Transformer(ModelConfig config, at::ScalarType dtype, at::Device device);
  ~Transformer();
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  const ModelConfig& config() const { return config_; }
  at::ScalarType dtype() const;
  at::Device device() const;

  /// The arenas in order: embedding, layers, head (final norm, and lm_head if untied).
  std::vector<ParameterArena*> parameters();
  /// Every parameter under its Hugging Face name: views of value and (if allocated) gradient. Adapters are not among them.
  std::vector<NamedParameter> named_parameters();
  /// What an optimiser updates: all arenas, or under LoRA the adapters' alone, one per layer.
  std::vector<ParameterArena*> trainable();

  /// Puts adapters beside the linear layers and freezes everything else; their values are uninitialised, see lora.h. Throws if there are
  /// some already, if `config` is not valid, or with exact log-probs, which the sampler's folded weights do not have under LoRA.
  void add_adapter(const LoraConfig& config);
  /// Takes them away; the base is trained again.
  void remove_adapter();
  /// The adapters' settings; rank 0 = none.
  const LoraConfig& lora() const { return lora_; }
  bool has_adapter() const { return lora_.rank > 0; }
  /// The adapters under PEFT's names: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight.
  std::vector<NamedParameter> adapter_parameters();

  /// Puts a scalar head w [1, hidden] (score.weight, zero) on the last norm's output: V = w · h, what critics and reward models give. It
  /// belongs neither to parameters() nor to trainable(): its owner trains and saves it.
  void add_value_head();
  /// Null if there is none.
  ParameterArena* value_head();
  /// Makes the value head (a new one if there is none) what the model is named and saved for: a reward model, which transformers loads
  /// as a sequence classifier with one label. The head over the vocabulary is then no longer among the named parameters.
  void become_classifier();

  /// Counts writes to the weights, the adapters' and the value head's among them: the sum of the arenas' versions, and one more for each
  /// change of what there is. It never goes back. Whoever packs weights compares it.
  int64_t version() const;

  /// Throws if the dtype is neither float32 nor bfloat16, or exact log-probs are wanted in bfloat16.
  void set_compute(const ComputeOptions& options);
  const ComputeOptions& compute() const { return compute_; }

  /// Vocabulary rows from `limit` on (padding beyond the tokenizer) are masked in sampler and trainer alike.
  void set_vocab_limit(int64_t limit);
  int64_t vocab_limit() const { return view_.vocab_limit; }
  /// For the decode engine.
  const ModelView& view() const { return view_; }

  /// Final hidden states after the last norm, [N, hidden]: an ordinary autograd graph.
  at::Tensor hidden_states(const PackedTokens& batch);
  /// Logits of all rows, [N, vocab] float32: for tests and inspection; training never calls it.
  at::Tensor logits(const PackedTokens& batch);

  /// Entrance 1 to gradients: an ordinary autograd graph for users' own loops. Gradients accumulate in the arenas; if those exist, the
  /// backward adds the head's itself, so that it is not among what torch::autograd::grad gives.
  TokenOutputs logprobs(const PackedTokens& batch, const LogprobOptions& options = {});

  /// Entrance 2, the trainers': forward layer by layer keeping the layers' inputs, then `loss_fn` on leaf tensors [M] (log-probs, entropies
  /// and values, all differentiable), then each layer from last to first. Gradients accumulate in the arenas. Returns what
  /// `loss_fn` returned, detached. Throws when the loss is not a scalar.
  at::Tensor forward_backward(const PackedTokens& batch, const std::function<at::Tensor(const TokenOutputs&)>& loss_fn,
                              const BackwardOptions& options = {}, const LayerHooks& hooks = {});

 private:
  struct Impl;
  ModelConfig config_;
  LoraConfig lora_;
  RopeTable rope_;
  ModelView view_;
  ComputeOptions compute_;
  int64_t version_ = 0;  // of arenas that are gone, and changes of what there is
  std::unique_ptr<Impl> impl_;
};

/// Fills with new weights: matrices normal(0, initializer_range), norms 1, biases 0, deterministic from `seed`.
void init_weights(Transformer& model, uint64_t seed);

struct LoadOptions {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  const FamilyRegistry* families = nullptr;  // that config.json may be of; null: the built-in ones
};

/// Loads a Hugging Face folder or a .gguf file. Throws `Error` naming each tensor that is missing, of a wrong shape or unknown.
std::unique_ptr<Transformer> load_model(const std::filesystem::path& path, const LoadOptions& options = {});

/// Replaces a model's weights by those of a Hugging Face folder. Throws `Error` naming each tensor that is missing, of a wrong shape or
/// unknown, and then no weight has changed. Nothing of the size of the model is allocated.
void read_weights(Transformer& model, const std::filesystem::path& folder);

struct SaveOptions {
  std::string dtype = "float32";  // "float32", "bfloat16" or "float16" on disk
  int64_t max_shard_bytes = int64_t{5} << 30;
  std::optional<int32_t> end_id = std::nullopt;  // ends generated text beside the model's own end ids; for generation_config.json
};

/// Writes config.json, generation_config.json and safetensors that transformers loads. Each file is written beside and renamed.
void save_model(Transformer& model, const std::filesystem::path& folder, const SaveOptions& options = {});

}  // namespace grpo
