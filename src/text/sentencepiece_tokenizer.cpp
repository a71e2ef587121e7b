#include "text/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "text/added_tokens.h"
#include "text/config_tokens.h"
#include "text/json_fields.h"
#include "text/pieces.h"

namespace grpo::text {
namespace {

constexpr std::string_view kSentencepieceTokenizerWhere = "sentencepiece";

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(TokenizerFiles files);

  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const override;
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const override;
  std::unique_ptr<DecodeStream> decode_stream(bool skip_special_tokens) const override;
  int64_t vocab_size() const override { return std::max(processor_.GetPieceSize(), added_.empty() ? 0 : added_.rbegin()->first + 1); }
  std::string id_to_token(int32_t id) const override;
  std::optional<int32_t> token_to_id(std::string_view token) const override;
  bool is_special(int32_t id) const override;

 private:
  class Stream;
  void add_tokens(const Json& config);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;
  std::vector<int> library_encode(const std::string& text) const;
  const AddedToken* find_added(int32_t id) const;
  void check(int32_t id) const;
  std::string library_decode(const std::vector<int>& ids) const;
  void probe_leading_space();

  sentencepiece::SentencePieceProcessor processor_;
  std::map<int32_t, AddedToken> added_;  // of tokenizer_config.json
  AddedTokenMatcher matcher_;
  bool add_bos_ = true, add_eos_ = false;
  bool each_is_a_start_ = true;    // a text between added tokens is encoded as one of its own
  bool drops_space_ = false;       // a leading space of the text goes
  bool drops_all_spaces_ = false;  // every leading space of the text goes
  std::string unknown_text_;
};

/// Streams by the rules of the library's own decoder: control pieces are invisible, a leading space is dropped, and a run of byte pieces
/// is read as UTF-8 with one U+FFFD for each bad byte.
class SentencePieceTokenizer::Stream final : public DecodeStream {
 public:
  Stream(const SentencePieceTokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  std::string push(int32_t id) override {
    tokenizer_.check(id);
    const auto& processor = tokenizer_.processor_;
    if (const AddedToken* added = tokenizer_.find_added(id)) {
      const std::string bytes = give(take_bytes(true));
      return bytes + (added->special && skip_special_tokens_ ? std::string() : give(added->content));
    }
    if (processor.IsByte(id)) {
      bytes_ += static_cast<char>(std::stoi(processor.IdToPiece(id).substr(1, 4), nullptr, 16));
      return give(take_bytes(false));
    }
    std::string out = give(take_bytes(true));
    if (processor.IsControl(id)) return out;
    if (processor.IsUnknown(id)) return out += give(tokenizer_.unknown_text_);
    std::string_view piece = processor.IdToPiece(id);
    bool dropped = false;
    if (at_start_ && tokenizer_.drops_space_ && piece.starts_with(kPieceSpace)) {
      piece.remove_prefix(kPieceSpace.size());
      dropped = !tokenizer_.drops_all_spaces_;
    }
    out += give(replace_all(piece, kPieceSpace, " "));
    if (dropped) at_start_ = false;
    return out;
  }

  std::string finish() override { return take_bytes(true); }

 private:
  std::string give(std::string text) {
    if (!text.empty()) at_start_ = false;
    return text;
  }

  std::string take_bytes(bool last) {
    std::string out;
    size_t at = 0;
    while (at < bytes_.size()) {
      const Utf8Step step = next_character(bytes_, at);
      if (step.status == Utf8Status::kIncomplete && !last) break;
      if (step.status == Utf8Status::kValid) {
        out += std::string_view(bytes_).substr(at, step.length);
      } else {
        for (size_t i = 0; i < step.length; ++i) out += kReplacementCharacter;
      }
      at += step.length;
    }
    bytes_.erase(0, at);
    return out;
  }

  const SentencePieceTokenizer& tokenizer_;
  bool skip_special_tokens_;
  std::string bytes_;
  bool at_start_ = true;
};

SentencePieceTokenizer::SentencePieceTokenizer(TokenizerFiles files) {
  const auto status = processor_.LoadFromSerializedProto(files.at("tokenizer.model"));
  GRPO_CHECK(status.ok(), kSentencepieceTokenizerWhere, "expected a sentencepiece model; got " + status.ToString());
  const auto id_of = [](int id) { return id >= 0 ? std::optional<int32_t>(id) : std::nullopt; };
  bos_id_ = id_of(processor_.bos_id());
  eos_id_ = id_of(processor_.eos_id());
  pad_id_ = id_of(processor_.pad_id());
  if (const auto config = files.find("tokenizer_config.json"); config != files.end()) {
    const Json json = parse_json(config->second, config->first);
    add_bos_ = bool_member(json, "add_bos_token", config->first, add_bos_);
    add_eos_ = bool_member(json, "add_eos_token", config->first, add_eos_);
    each_is_a_start_ = bool_member(json, "legacy", config->first, true);
    add_tokens(json);
  }
  const SpecialTokens special = read_special_tokens(files);
  if (const auto id = token_to_id(special.bos)) bos_id_ = id;
  if (const auto id = token_to_id(special.eos)) eos_id_ = id;
  if (const auto id = token_to_id(special.pad)) pad_id_ = id;
  if (processor_.unk_id() >= 0) unknown_text_ = library_decode({processor_.unk_id()});
  probe_leading_space();
  chat_template_ = read_chat_template(files);
  files_ = std::move(files);
}

/// The config's tokens by the rules of a tokenizer.json with the model's pieces. Older files have no added_tokens_decoder and are left to
/// the library alone.
void SentencePieceTokenizer::add_tokens(const Json& config) {
  if (!optional_member(config, "added_tokens_decoder").is_object()) return;
  Json pieces = Json::object();
  for (int id = 0; id < processor_.GetPieceSize(); ++id) pieces[processor_.IdToPiece(id)] = id;
  Json document{{"model", {{"vocab", std::move(pieces)}}}};
  add_config_tokens(document, config);
  for (const Json& entry : document["added_tokens"]) {
    const AddedToken token = parse_added_token(entry);
    matcher_.add(token, token.content);
    added_.emplace(token.id, token);
  }
}

// The library does not show add_dummy_prefix and remove_extra_whitespaces of the model, on which its decoder depends.
void SentencePieceTokenizer::probe_leading_space() {
  for (int id = 0; id < processor_.GetPieceSize(); ++id) {
    const std::string& piece = processor_.IdToPiece(id);
    if (processor_.IsControl(id) || processor_.IsUnknown(id) || processor_.IsByte(id) || !piece.starts_with(kPieceSpace)) continue;
    if (piece.size() == kPieceSpace.size()) {
      drops_space_ = library_decode({id}).empty();
      drops_all_spaces_ = drops_space_ && library_decode({id, id}).empty();
      return;
    }
    drops_space_ = !library_decode({id}).starts_with(' ');
  }
}

void SentencePieceTokenizer::check(int32_t id) const {
  const bool known = (id >= 0 && id < processor_.GetPieceSize()) || find_added(id) != nullptr;
  GRPO_CHECK(known, kSentencepieceTokenizerWhere, "expected an id in [0, " + std::to_string(vocab_size()) + "); got " + std::to_string(id));
}

std::string SentencePieceTokenizer::library_decode(const std::vector<int>& ids) const {
  std::string text;
  const auto status = processor_.Decode(ids, &text);
  GRPO_CHECK(status.ok(), kSentencepieceTokenizerWhere, "expected ids that decode; got " + status.ToString());
  return text;
}

std::vector<int> SentencePieceTokenizer::library_encode(const std::string& text) const {
  std::vector<int> ids;
  const auto status = processor_.Encode(text, &ids);
  GRPO_CHECK(status.ok(), kSentencepieceTokenizerWhere, "expected text that can be encoded; got " + status.ToString());
  return ids;
}

/// The library begins every text as a start (with a space): what goes on is encoded behind a text that is cut off again.
void SentencePieceTokenizer::encode_text(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  static const std::string before = "<unk>";
  const bool start = at_start || each_is_a_start_;
  const auto found = library_encode((start ? "" : before) + std::string(text));
  const auto cut = start ? 0 : static_cast<std::ptrdiff_t>(std::min(library_encode(before).size(), found.size()));
  ids.insert(ids.end(), found.begin() + cut, found.end());
}

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  GRPO_CHECK(is_valid_utf8(text), "encode", "expected valid UTF-8; got ill-formed bytes");
  std::vector<int32_t> ids;
  if (add_special_tokens && add_bos_ && bos_id_) ids.push_back(*bos_id_);
  for (const TextSegment& segment : matcher_.split(text)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      encode_text(segment.text, segment.text.data() == text.data(), ids);
    }
  }
  if (add_special_tokens && add_eos_ && eos_id_) ids.push_back(*eos_id_);
  return ids;
}

std::string SentencePieceTokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  for (const int32_t id : ids) check(id);
  if (added_.empty()) return library_decode({ids.begin(), ids.end()});
  Stream stream(*this, skip_special_tokens);
  std::string text;
  for (const int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

std::unique_ptr<DecodeStream> SentencePieceTokenizer::decode_stream(bool skip_special_tokens) const {
  return std::make_unique<Stream>(*this, skip_special_tokens);
}

const AddedToken* SentencePieceTokenizer::find_added(int32_t id) const {
  const auto found = added_.find(id);
  return found == added_.end() ? nullptr : &found->second;
}

std::string SentencePieceTokenizer::id_to_token(int32_t id) const {
  check(id);
  const AddedToken* added = find_added(id);
  return added != nullptr ? added->content : processor_.IdToPiece(id);
}

std::optional<int32_t> SentencePieceTokenizer::token_to_id(std::string_view token) const {
  if (token.empty()) return std::nullopt;
  for (const auto& [id, added] : added_) {
    if (added.content == token) return id;
  }
  const int id = processor_.PieceToId({token.data(), token.size()});
  return id >= 0 && id < processor_.GetPieceSize() && processor_.IdToPiece(id) == token ? std::optional<int32_t>(id) : std::nullopt;
}

bool SentencePieceTokenizer::is_special(int32_t id) const {
  if (const AddedToken* added = find_added(id)) return added->special;
  return id >= 0 && id < processor_.GetPieceSize() && processor_.IsControl(id);
}

}  // namespace

std::shared_ptr<const Tokenizer> make_sentencepiece_tokenizer(TokenizerFiles files) {
  return std::make_shared<SentencePieceTokenizer>(std::move(files));
}

}  // namespace grpo::text
