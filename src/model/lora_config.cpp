#include <algorithm>
#include <cmath>
#include <set>

#include "core/faults.h"
#include "grpo/core/config.h"
#include "grpo/core/nearest.h"
#include "grpo/model/lora.h"

namespace grpo {

double LoraConfig::scale() const {
  const auto r = static_cast<double>(rank);
  return alpha / (use_rslora ? std::sqrt(r) : r);
}

void describe(ConfigVisitor& v, LoraConfig& c) {
  v.field("rank", c.rank, "Of the adapters that are trained instead of the weights; 0 = no LoRA.", kNonNegative);
  v.field("alpha", c.alpha, "The adapters' part is multiplied by alpha / rank.", kPositive);
  v.field("dropout", c.dropout, "Only 0: sampler and trainer must agree.", kFraction);
  v.field("target_modules", c.target_modules,
          "Linear layers with adapters, by their names in the checkpoint; empty or all-linear: q_proj, k_proj, v_proj, o_proj, gate_proj, "
          "up_proj, down_proj.");
  v.field("use_rslora", c.use_rslora, "Multiply by alpha / sqrt(rank) instead.");
  v.path("path", c.path, "A PEFT folder to go on from; rank, alpha and target_modules are then those of the folder.");
}

const std::vector<std::string>& lora_modules() {
  static const std::vector<std::string> names = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
  return names;
}

void validate(const LoraConfig& config) {
  Faults faults;
  faults.need(config.rank >= 0, "expected a rank of at least 0; got " + std::to_string(config.rank));
  faults.need(config.alpha > 0.0, "expected alpha above 0");
  faults.need(config.dropout == 0.0, "expected dropout 0, since sampler and trainer must agree; got " + std::to_string(config.dropout));
  std::set<std::string> seen;
  const auto& known = lora_modules();
  for (const auto& name : config.target_modules) {
    if (name == "all-linear" && config.target_modules.size() == 1) continue;
    const bool good = std::find(known.begin(), known.end(), name) != known.end();
    faults.need(good, "unknown target module '" + name + "'" + did_you_mean(name, known));
    faults.need(seen.insert(name).second, "target module '" + name + "' is given twice");
  }
  faults.raise("lora");
}

}  // namespace grpo
