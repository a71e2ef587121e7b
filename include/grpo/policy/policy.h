#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpo/data/prompt.h"
#include "grpo/data/types.h"
#include "grpo/text/chat_template.h"
#include "grpo/text/tokenizer.h"

namespace grpo {

class Transformer;
struct ModelSection;

/// A model with the tokenizer and chat template that belong to it.
struct Policy {
  std::shared_ptr<Transformer> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat_template;
  std::string base;  // where the model without its LoRA came from; saved adapters name it

  struct EncodedPrompt {
    std::string text;
    std::vector<int32_t> ids;
  };
  /// The problem under the prompt template, as text, and as ids too. Throws where a chat is asked for and the tokenizer brings no template.
  std::string prompt_text(const Problem& problem, const PromptOptions& options) const;
  EncodedPrompt encode_prompt(const Problem& problem, const PromptOptions& options) const;
  /// A completion's ids, the end token included.
  std::vector<int32_t> encode_completion(const std::string& text) const;
  /// The id that ends a completion; throws where neither model nor tokenizer names one.
  int32_t end_id() const;
};

/// Binds the tokenizer to the model: vocabulary rows beyond it are masked. Throws where the tokenizer has more ids than the model.
Policy make_policy(std::shared_ptr<Transformer> model, std::shared_ptr<const Tokenizer> tokenizer);

/// Where the section's model is to be. Throws where that is a GPU and there is none.
at::Device device_of(const ModelSection& section);

/// The weights of the section's path with its adapters, computing as it says; new adapters begin from `seed`. A PEFT folder as path stands
/// for the base that it names with its adapters.
std::shared_ptr<Transformer> load_weights(const ModelSection& section, uint64_t seed = 0);

/// As load_weights with the tokenizer, or a new model from `seed` where the section says so.
Policy load_policy(const ModelSection& section, uint64_t seed);

/// Writes weights, configs and tokenizer: a folder that transformers loads. Under LoRA a PEFT folder: adapters (in float32 always) and
/// tokenizer.
void save_policy(const Policy& policy, const std::string& folder, const std::string& dtype);

}  // namespace grpo
