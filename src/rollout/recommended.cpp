// What the makers of a model recommend for sampling from it: its generation_config.json.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "grpo/rollout/sampling.h"

namespace grpo {
namespace {

constexpr int64_t kTransformersTopK = 50;  // of transformers, where the file does not say

/// A file's settings, each used at most once.
class GenerationConfig {
 public:
  explicit GenerationConfig(const std::filesystem::path& path) : where_(path.string()) {
    const std::string text = file_text(path, "sampling");
    settings_ = try_parse_json<nlohmann::json>(text);
    GRPO_CHECK(settings_.is_object(), where_, "expected a JSON object; got something else");
  }

  template <class T>
  T take(const char* key, T otherwise) {
    const nlohmann::json value = settings_.value(key, nlohmann::json());
    settings_.erase(key);
    if (value.is_null()) return otherwise;
    try {
      return value.get<T>();
    } catch (const nlohmann::json::exception&) {
      fail(where_, std::string("expected another type for '") + key + "'; got " + to_printable_text(value).substr(0, 60));
    }
  }

  /// Names what else would change what is sampled.
  void warn_of_rest() const {
    static constexpr const char* kKnown[] = {"num_beams",
                                             "typical_p",
                                             "epsilon_cutoff",
                                             "eta_cutoff",
                                             "no_repeat_ngram_size",
                                             "guidance_scale",
                                             "penalty_alpha",
                                             "min_new_tokens",
                                             "min_length",
                                             "bad_words_ids",
                                             "suppress_tokens",
                                             "begin_suppress_tokens",
                                             "forced_bos_token_id",
                                             "forced_eos_token_id",
                                             "sequence_bias",
                                             "encoder_repetition_penalty",
                                             "exponential_decay_length_penalty",
                                             "diversity_penalty",
                                             "stop_strings"};
    std::string names;
    for (const char* key : kKnown) {
      const auto found = settings_.find(key);
      if (found == settings_.end() || found->is_null() || *found == 0 || *found == 1 || *found == false) continue;
      names += (names.empty() ? "" : ", ") + std::string(key);
    }
    if (!names.empty()) log_warn(where_ + ": not used: " + names);
  }

 private:
  std::string where_;
  nlohmann::json settings_;
};

}  // namespace

SamplingParams recommended_sampling(const std::filesystem::path& model) {
  SamplingParams params;
  params.num_generations = 1;
  params.temperature = 0.0;
  const auto path = model / "generation_config.json";
  if (!std::filesystem::is_regular_file(path)) return params;
  GenerationConfig config(path);
  const bool sample = config.take("do_sample", false);
  const auto temperature = config.take("temperature", 1.0), top_p = config.take("top_p", 1.0), min_p = config.take("min_p", 0.0);
  const auto top_k = config.take("top_k", kTransformersTopK);
  params.repetition_penalty = config.take("repetition_penalty", 1.0);
  params.max_completion_length = config.take("max_new_tokens", params.max_completion_length);
  if (sample) {
    params.temperature = temperature;
    params.top_p = top_p;
    params.min_p = min_p;
    params.top_k = top_k;
  }
  config.warn_of_rest();
  try {
    validate(params);
  } catch (const Error& error) {
    throw Error(path.string() + ": " + error.what(), error.kind());
  }
  return params;
}

}  // namespace grpo
