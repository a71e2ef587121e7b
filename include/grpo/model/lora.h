#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

class ConfigVisitor;
class Transformer;

/// Low-rank adapters beside frozen linear layers: y = W x + s B A x with A [rank, in] and B [out, rank], s = alpha / rank (Hu et al.,
/// "LoRA", 2106.09685). Names follow PEFT's. `describe` documents the options, and configs/README.md lists them.
struct LoraConfig {
  int64_t rank = 0;
  double alpha = 32.0;
  double dropout = 0.0;
  std::vector<std::string> target_modules = {};
  bool use_rslora = false;  // Kalajdzievski, 2312.03732
  std::string path = {};
  bool score_head = false;  // set for a folder that holds the head of a sequence classifier too; not part of config files

  double scale() const;
};

void describe(ConfigVisitor& visitor, LoraConfig& config);

/// Throws a usage error that names every fault: a rank below 0, dropout, unknown or repeated modules.
void validate(const LoraConfig& config);

/// The seven linear layers of a decoder layer under their Hugging Face names, in the order of the arenas' rows.
const std::vector<std::string>& lora_modules();

/// New adapters: A uniform in ±1/sqrt(in) as PEFT initialises it, deterministic from `seed`; B zero, so that the policy starts as the base.
void init_adapter(Transformer& model, uint64_t seed);

/// Reads adapter_config.json of a PEFT folder. Throws if it asks for what is not LoRA as above (DoRA, biases, ranks by module, …).
LoraConfig read_lora_config(const std::filesystem::path& folder);

/// The base model that a PEFT folder names: its path relative to the folder if that exists, else as it stands; empty if none is
/// named.
std::filesystem::path lora_base(const std::filesystem::path& folder);

/// Puts the adapters of a PEFT folder beside the model's layers, or into the adapters that are there. A folder that holds a classifier's
/// head makes the model a sequence classifier. Throws `Error` naming each tensor
/// that is missing, unknown or of a wrong shape (another base, another rank); the model then keeps what it had.
void load_adapter(Transformer& model, const std::filesystem::path& folder);

/// Writes adapter_config.json and adapter_model.safetensors (float32) that PEFT loads onto `base`; of a sequence classifier the head too.
void save_adapter(Transformer& model, const std::filesystem::path& folder, const std::string& base);

/// Adds s B A to the base's weights and removes the adapters: the same function in ordinary weights.
void merge_adapter(Transformer& model);

}  // namespace grpo
