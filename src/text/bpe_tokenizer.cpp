#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"

namespace grpo::text {
namespace {

constexpr std::string_view kBpeTokenizerWhere = "tokenizer.json";

}  // namespace

BpeTokenizer::BpeTokenizer(const Json& document, TokenizerFiles files)
    : model_(member(document, "model", kBpeTokenizerWhere)),
      normalizer_(parse_normalizer(optional_member(document, "normalizer"))),
      pre_tokenizer_(parse_pre_tokenizer(optional_member(document, "pre_tokenizer"))),
      post_processor_(parse_post_processor(optional_member(document, "post_processor"))),
      decoder_(parse_decoder(optional_member(document, "decoder"))),
      id_end_(model_.id_end()) {
  if (!optional_member(document, "added_tokens").is_null()) {
    for (const Json& entry : array_member(document, "added_tokens", kBpeTokenizerWhere)) add_token(entry);
  }
  hide_special_tokens();
  check_ids(post_processor_.before);
  check_ids(post_processor_.after);
  const SpecialTokens special = read_special_tokens(files);
  const auto id_of = [&](const std::string& token) { return token.empty() ? std::nullopt : token_to_id(token); };
  bos_id_ = id_of(special.bos);
  eos_id_ = id_of(special.eos);
  pad_id_ = id_of(special.pad);
  chat_template_ = read_chat_template(files);
  files_ = std::move(files);
}

void BpeTokenizer::add_token(const Json& entry) {
  AddedToken token = parse_added_token(entry);
  if (token.content.empty()) return;
  if (const auto known = model_.token_to_id(token.content)) token.id = *known;  // as the reference implementation does
  GRPO_CHECK(token.id < std::numeric_limits<int32_t>::max(), kBpeTokenizerWhere,
             "expected ids below 2^31 - 1; got " + std::to_string(token.id));
  id_end_ = std::max(id_end_, token.id + 1);
  const std::string shown = token.normalized && normalizer_ ? normalizer_(token.content) : token.content;
  GRPO_CHECK(added_.try_emplace(token.id, Added{token, shown}).second, kBpeTokenizerWhere,
             "expected distinct added tokens; got the id " + std::to_string(token.id) + " twice");
  added_ids_.emplace(token.content, token.id);
  (token.normalized ? normalized_matcher_ : raw_matcher_).add(token, shown);
}

// The reference implementation knows special tokens by their content and looks for it in what is shown.
void BpeTokenizer::hide_special_tokens() {
  std::unordered_set<std::string> special;
  for (const auto& [id, added] : added_) {
    if (added.token.special) special.insert(added.token.content);
  }
  for (auto& [id, added] : added_) added.hidden = special.contains(added.shown);
}

void BpeTokenizer::check_ids(const std::vector<int32_t>& ids) const {
  for (const int32_t id : ids) {
    GRPO_CHECK(id < id_end_, kBpeTokenizerWhere,
               "expected the post-processor to add ids below " + std::to_string(id_end_) + "; got " + std::to_string(id));
  }
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  GRPO_CHECK(is_valid_utf8(text), "encode", "expected valid UTF-8; got ill-formed bytes");
  std::vector<int32_t> ids;
  if (add_special_tokens) ids = post_processor_.before;
  for (const TextSegment& segment : raw_matcher_.split(text)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      encode_text(segment.text, segment.text.data() == text.data(), ids);
    }
  }
  if (add_special_tokens) ids.insert(ids.end(), post_processor_.after.begin(), post_processor_.after.end());
  return ids;
}

void BpeTokenizer::encode_text(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  const std::string normalized = normalizer_ ? normalizer_(text) : std::string(text);
  for (const TextSegment& segment : normalized_matcher_.split(normalized)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    std::vector<Piece> pieces{{std::string(segment.text), at_start && segment.text.data() == normalized.data()}};
    pre_tokenizer_(pieces);
    for (const Piece& piece : pieces) model_.encode(piece.text, ids);
  }
}

class BpeTokenizer::Stream final : public DecodeStream {
 public:
  Stream(const BpeTokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens), chain_(tokenizer.decoder_) {}

  std::string push(int32_t id) override {
    add(id);
    return chain_.take();
  }
  std::string finish() override {
    chain_.finish();
    return chain_.take();
  }
  void add(int32_t id) {
    tokenizer_.check_range(id);
    if (const Added* added = tokenizer_.find_added(id)) {
      if (!skip_special_tokens_ || !added->hidden) chain_.push(added->shown);
    } else if (const std::string* token = tokenizer_.model_.id_to_token(id)) {
      chain_.push(*token);
    }
  }

 private:
  const BpeTokenizer& tokenizer_;
  bool skip_special_tokens_;
  DecodeChain chain_;
};

std::string BpeTokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  Stream stream(*this, skip_special_tokens);
  for (const int32_t id : ids) stream.add(id);
  return stream.finish();
}

std::unique_ptr<DecodeStream> BpeTokenizer::decode_stream(bool skip_special_tokens) const {
  return std::make_unique<Stream>(*this, skip_special_tokens);
}

void BpeTokenizer::check_range(int32_t id) const {
  GRPO_CHECK(id >= 0 && id < id_end_, "tokenizer", "expected an id in [0, " + std::to_string(id_end_) + "); got " + std::to_string(id));
}

const BpeTokenizer::Added* BpeTokenizer::find_added(int32_t id) const {
  const auto found = added_.find(id);
  return found == added_.end() ? nullptr : &found->second;
}

std::string BpeTokenizer::id_to_token(int32_t id) const {
  check_range(id);
  if (const Added* added = find_added(id)) return added->token.content;
  const std::string* token = model_.id_to_token(id);
  GRPO_CHECK(token != nullptr, "tokenizer", "expected the id of a token; got " + std::to_string(id) + ", which none has");
  return *token;
}

std::optional<int32_t> BpeTokenizer::token_to_id(std::string_view token) const {
  const auto added = added_ids_.find(std::string(token));
  return added != added_ids_.end() ? added->second : model_.token_to_id(token);
}

bool BpeTokenizer::is_special(int32_t id) const {
  const Added* added = find_added(id);
  return added != nullptr && added->token.special;
}

}  // namespace grpo::text
