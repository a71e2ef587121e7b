#include "grpo/text/byte_tokenizer.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "text/byte_level.h"
#include "text/tokenizer_files.h"

namespace grpo {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEndToken = "<|endoftext|>";

Json added_token(int64_t id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

}  // namespace

std::shared_ptr<const Tokenizer> make_byte_tokenizer(const std::vector<std::string>& extra_tokens) {
  Json vocabulary = Json::object(), added = Json::array();
  for (int byte = 0; byte < 256; ++byte) vocabulary[text::bytes_to_alphabet(std::string(1, static_cast<char>(byte)))] = byte;
  int64_t id = 256;
  for (const auto& token : extra_tokens) added.push_back(added_token(id++, token, false));
  added.push_back(added_token(id, kEndToken, true));
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const Json document = {{"version", "1.0"},
                         {"truncation", nullptr},
                         {"padding", nullptr},
                         {"added_tokens", added},
                         {"normalizer", nullptr},
                         {"pre_tokenizer", byte_level},
                         {"post_processor", nullptr},
                         {"decoder", byte_level},
                         {"model",
                          {{"type", "BPE"},
                           {"dropout", nullptr},
                           {"unk_token", nullptr},
                           {"continuing_subword_prefix", nullptr},
                           {"end_of_word_suffix", nullptr},
                           {"fuse_unk", false},
                           {"byte_fallback", false},
                           {"vocab", vocabulary},
                           {"merges", Json::array()}}}};
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"eos_token", kEndToken},
                       {"pad_token", kEndToken},
                       {"clean_up_tokenization_spaces", false},
                       {"model_max_length", 1000000}};
  return text::tokenizer_from_files({{"tokenizer.json", to_text(document)}, {"tokenizer_config.json", to_text(config, 2)}});
}

}  // namespace grpo
