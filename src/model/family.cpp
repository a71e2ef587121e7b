#include "grpo/model/family.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/model/config.h"

namespace grpo {
namespace {

using FamilyJson = nlohmann::ordered_json;

/// A key of config.json that may be absent.
bool flag(const std::string& config_json, const char* key) {
  const auto json = parse_json<FamilyJson>(config_json);
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return false;
  GRPO_CHECK(it->is_boolean(), "config.json", std::string("expected true or false for '") + key + "'; got " + to_text(*it).substr(0, 60));
  return it->get<bool>();
}

class Llama : public ModelFamily {
 public:
  std::string architecture() const override { return "Llama"; }
  void read(const std::string& config_json, ModelConfig& c) const override {
    c.qkv_bias = c.output_bias = flag(config_json, "attention_bias");
    c.mlp_bias = flag(config_json, "mlp_bias");
  }
  std::string further_keys(const ModelConfig& c) const override {
    return to_text(FamilyJson{{"attention_bias", c.qkv_bias}, {"mlp_bias", c.mlp_bias}});
  }
};

class Mistral final : public Llama {
 public:
  std::string architecture() const override { return "Mistral"; }
  void read(const std::string& config_json, ModelConfig& c) const override {
    c.qkv_bias = c.output_bias = flag(config_json, "attention_bias");
  }
  std::string further_keys(const ModelConfig& c) const override { return to_text(FamilyJson{{"attention_bias", c.qkv_bias}}); }
  Windows windows() const override { return Windows::kAllLayers; }
};

class Qwen2 final : public ModelFamily {
 public:
  std::string architecture() const override { return "Qwen2"; }
  void read(const std::string& /*config_json*/, ModelConfig& c) const override {
    c.qkv_bias = true;  // no key for it: q, k and v always have one, o never
  }
  Windows windows() const override { return Windows::kByLayer; }
};

class Qwen3 final : public ModelFamily {
 public:
  std::string architecture() const override { return "Qwen3"; }
  void read(const std::string& config_json, ModelConfig& c) const override {
    c.qkv_bias = c.output_bias = flag(config_json, "attention_bias");
    c.qk_norm = true;
  }
  std::string further_keys(const ModelConfig& c) const override { return to_text(FamilyJson{{"attention_bias", c.qkv_bias}}); }
  Windows windows() const override { return Windows::kByLayer; }
};

}  // namespace

FamilyRegistry builtin_families() {
  FamilyRegistry registry("model family");
  registry.add<Llama>("llama");
  registry.add<Mistral>("mistral");
  registry.add<Qwen2>("qwen2");
  registry.add<Qwen3>("qwen3");
  return registry;
}

}  // namespace grpo
