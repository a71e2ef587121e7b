#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace grpo::text {

/// What a name in `tokenizer.ggml.pre` stands for: expressions that cut the text one after the other, and the rest of the tokenizer that
/// the models of that name share.
struct PreRule {
  std::vector<std::string_view> names;
  std::vector<std::string> patterns;
  bool nfc = false, ignore_merges = false, add_bos = false;
};

/// All rules; each name stands in one of them.
const std::vector<PreRule>& pre_rules();

/// Throws `Error` for a name that is unknown, or known to llama.cpp and not to be done here.
const PreRule& find_pre_rule(const std::string& name);

}  // namespace grpo::text
