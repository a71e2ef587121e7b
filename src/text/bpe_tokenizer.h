#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "grpo/text/tokenizer.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_files.h"

namespace grpo::text {

/// A tokenizer.json: added tokens, normalizer, pre-tokenizer, BPE model, post-processor; decoder for the way back.
class BpeTokenizer final : public Tokenizer {
 public:
  /// `document` is tokenizer.json, parsed; the other files of `files` give special tokens and the chat template.
  BpeTokenizer(const Json& document, TokenizerFiles files);

  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const override;
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const override;
  std::unique_ptr<DecodeStream> decode_stream(bool skip_special_tokens) const override;
  int64_t vocab_size() const override { return id_end_; }
  std::string id_to_token(int32_t id) const override;
  std::optional<int32_t> token_to_id(std::string_view token) const override;
  bool is_special(int32_t id) const override;

 private:
  class Stream;
  struct Added {
    AddedToken token;
    std::string shown;    // what decode gives: the reference implementation normalizes the content where the token is matched so
    bool hidden = false;  // left out with skip_special_tokens
  };
  void add_token(const Json& entry);
  void hide_special_tokens();
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;
  void check_range(int32_t id) const;
  /// The added token of this id; null where it is none.
  const Added* find_added(int32_t id) const;
  void check_ids(const std::vector<int32_t>& ids) const;

  BpeModel model_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  PostProcessor post_processor_;
  std::vector<DecodeStageFactory> decoder_;
  std::unordered_map<int32_t, Added> added_;
  std::unordered_map<std::string, int32_t> added_ids_;
  AddedTokenMatcher raw_matcher_, normalized_matcher_;
  int32_t id_end_ = 0;
};

}  // namespace grpo::text
