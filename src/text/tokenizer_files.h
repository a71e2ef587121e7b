#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "grpo/text/tokenizer.h"

namespace grpo::text {

/// The files of a tokenizer, name → content: tokenizer.json or tokenizer.model, and what may stand beside it.
using TokenizerFiles = std::map<std::string, std::string>;

/// Builds a tokenizer from files in memory; throws `Error` naming what is missing or not supported.
std::shared_ptr<const Tokenizer> tokenizer_from_files(TokenizerFiles files);

/// Texts of the special tokens; empty where there is none.
struct SpecialTokens {
  std::string bos, eos, pad, unk;
};

/// From tokenizer_config.json; what it lacks from special_tokens_map.json.
SpecialTokens read_special_tokens(const TokenizerFiles& files);

/// chat_template.jinja, else "chat_template" of tokenizer_config.json (of several named ones the one called default); empty where there
/// is none.
std::string read_chat_template(const TokenizerFiles& files);

/// What a chat template needs of a tokenizer.
struct TemplateParts {
  std::string source;  // empty where there is no template
  SpecialTokens tokens;
};

/// Those of a model folder or a tokenizer's file, as load_tokenizer takes it; of a folder without a tokenizer those of its
/// tokenizer_config.json and chat_template.jinja.
TemplateParts load_template_parts(const std::filesystem::path& path);

}  // namespace grpo::text
