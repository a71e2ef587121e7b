#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/preference.h"
#include "grpo/data/prompt.h"
#include "grpo/data/types.h"
#include "grpo/model/family.h"
#include "grpo/text/chat_template.h"
#include "grpo/text/tokenizer.h"

namespace GRPO_API grpo {

class Transformer;
struct ModelSection;

/// A model with the tokenizer and chat template that belong to it.
struct Policy {
  std::shared_ptr<Transformer> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat_template;
  std::string base;  // where the model without its LoRA came from; saved adapters name it

  /// The prompt template of a question that names none: the tokenizer's chat template if it brings one, else the bare text.
  std::string default_template() const { return chat_template ? "chat" : "{question}"; }
  /// Whether the model has an embedding for a token of the tokenizer.
  bool has_embedding(int32_t id) const;
  /// The ids of the problem's text. Throws `Error`, naming the problem and the token, if the model has no embedding for one of them.
  std::vector<int32_t> encode(const Problem& problem, const std::string& text, bool add_special_tokens) const;

  struct EncodedPrompt {
    std::string text;
    std::vector<int32_t> ids;
  };
  /// The problem under the prompt template, as text, and as ids too. A last message of role assistant is continued. Throws if a chat is
  /// asked for and the tokenizer brings no template, and for an empty prompt: a problem without a text, or a template that renders to
  /// nothing.
  std::string prompt_text(const Problem& problem, const PromptOptions& options) const;
  EncodedPrompt encode_prompt(const Problem& problem, const PromptOptions& options) const;
  /// The ids of a completion of the problem, the end of its turn included.
  std::vector<int32_t> encode_completion(const Problem& problem, const PromptOptions& options, const std::string& text) const;

  /// A prompt with two answers to it, each with the end of its turn.
  struct EncodedPair {
    std::vector<int32_t> prompt, chosen, rejected;
  };
  /// Answers that are text follow the prompt as they are; answers that are messages are rendered by the chat template after the prompt's.
  /// If the rendered answers do not begin with the template's generation prompt, the prompt ends before that generation prompt. Throws if
  /// answers are messages while the prompt is made by a text template or ends in a message that is continued.
  EncodedPair encode_pair(const Problem& problem, const PromptOptions& options, const GivenAnswer& chosen,
                          const GivenAnswer& rejected) const;

  /// The id that ends a completion under a text template; throws if neither model nor tokenizer names one.
  int32_t end_id() const;
  /// The id that ends a completion of the problem. In a chat it is of what the chat template writes after an assistant's message: the first
  /// end token of model or tokenizer, else the first special token. Otherwise, and if there is none, it is end_id().
  int32_t turn_end_id(const Problem& problem, const PromptOptions& options) const;
};

/// Binds the tokenizer to the model: vocabulary rows beyond it are masked. A tokenizer with more ids than the model has embeddings is
/// warned of: such ids are never sampled, `encode` refuses text that needs one, and an end token among them is not used.
Policy make_policy(std::shared_ptr<Transformer> model, std::shared_ptr<const Tokenizer> tokenizer);

/// Where the section's model is to be. Throws if that is a GPU and there is none.
at::Device device_of(const ModelSection& section);

/// The weights of the section's path with its adapters, computing as it says; new adapters begin from `seed`. A PEFT folder as path stands
/// for the base that it names with its adapters.
std::shared_ptr<Transformer> load_weights(const ModelSection& section, uint64_t seed = 0,
                                          const FamilyRegistry& families = builtin_families());

/// As load_weights with the tokenizer, or a new model from `seed` if the section says so.
Policy load_policy(const ModelSection& section, uint64_t seed, const FamilyRegistry& families = builtin_families());

/// Writes weights, configs and tokenizer: a folder that transformers loads, and whose generation also ends at `end_id`. Under LoRA a PEFT
/// folder: adapters (in float32 always) and tokenizer.
void save_policy(const Policy& policy, const std::string& folder, const std::string& dtype, std::optional<int32_t> end_id = std::nullopt);

}  // namespace grpo
