#pragma once

#include <string>

#include "grpo/api.h"
#include "grpo/data/factory_table.h"

namespace GRPO_API grpo {

struct ModelConfig;

/// How a family of models is told from others: what its config.json says beside shapes, rope and special ids, which are read and written
/// for all alike. Subclass it and register it under the `model_type` of such files: `registry.add_model_family<Olmo>("olmo2")`. The decoder
/// is one for all: what `ModelConfig` has no field for cannot be said.
class ModelFamily {
 public:
  virtual ~ModelFamily() = default;
  /// "Llama": what stands before ForCausalLM in `architectures`.
  virtual std::string architecture() const = 0;
  /// Sets what the text of config.json says of biases, norms and the like; the rest of `config` is read already.
  virtual void read(const std::string& config_json, ModelConfig& config) const = 0;
  /// The keys that say so, a JSON object. Files may have them without a warning.
  virtual std::string further_keys(const ModelConfig& /*config*/) const { return "{}"; }
  /// What the family's files say of sliding windows: nothing; sliding_window for all layers; or that, turned on by use_sliding_window and
  /// given by layer (layer_types, max_window_layers). Keys that a family has not are not used, as in transformers.
  enum class Windows { kNone, kAllLayers, kByLayer };
  virtual Windows windows() const { return Windows::kNone; }
};

/// Model families by model_type.
using FamilyRegistry = FactoryTable<ModelFamily>;
/// llama (SmolLM2 too), mistral, qwen2 (Qwen2.5 too), qwen3.
FamilyRegistry builtin_families();

}  // namespace grpo
