#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// A chat template: a Jinja subset parsed into a tree and interpreted (trim_blocks and lstrip_blocks on, as transformers does).
class ChatTemplate {
 public:
  /// Parses; throws `Error` with line and column if the source is not understood.
  explicit ChatTemplate(const std::string& source);
  /// A model's template, which stands in the way of those alone who use it: what is not understood is thrown where it is to be rendered.
  static ChatTemplate of_model(const std::string& source);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  struct Options {
    bool add_generation_prompt = true;
    std::string bos_token, eos_token, pad_token, unk_token;  // texts
    std::string variables_json;                              // further template variables as a JSON object; may be empty
  };
  /// Renders a conversation; `tools_json` is a JSON array or empty. `raise_exception` in the template becomes an `Error`.
  std::string render(const std::vector<Message>& messages, const Options& options, const std::string& tools_json = {}) const;
  /// A conversation, cut where the text of its last message ends.
  struct OpenEnd {
    std::string text;    // what comes before: a prompt that goes on in the last message (transformers' continue_final_message)
    std::string ending;  // what the template writes after the message's text
  };
  /// Throws if the last message has no text or has tool calls, and if the template leaves it out or changes more of it than white
  /// space at its ends (takes a thought out, say). `options` are as for `render`; no generation prompt is added.
  OpenEnd render_open(const std::vector<Message>& messages, const Options& options, const std::string& tools_json = {}) const;
  /// The general form: `messages_json` a JSON array of any message objects, `tools_json` a JSON array or empty.
  std::string render_json(const std::string& messages_json, const std::string& tools_json, const Options& options) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace grpo
