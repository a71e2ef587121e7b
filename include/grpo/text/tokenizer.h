#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// A decoder between two ids: what StreamDecoder runs. One sequence, one thread.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;
  /// Adds one id; returns the new certain text, possibly empty. Ids out of range throw.
  virtual std::string push(int32_t id) = 0;
  /// Returns what was held back; nothing may be pushed afterwards.
  virtual std::string finish() = 0;
};

/// Text to token ids and back. Immutable after loading; every method may be called from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// UTF-8 text to ids. `add_special_tokens` runs the post-processor (BOS and the like); rendered chat prompts pass false.
  virtual std::vector<int32_t> encode(std::string_view text, bool add_special_tokens = true) const = 0;
  /// Ids to UTF-8; invalid byte sequences become U+FFFD as the reference implementation does. Ids out of range throw.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special_tokens = false) const = 0;
  /// A fresh incremental decoder; it must not outlive the tokenizer. The loaded tokenizers take constant time a token (amortised). The
  /// default, for tokenizers that only define decode(), decodes everything again at each push and needs decode() of more ids to begin
  /// with decode() of fewer, trailing U+FFFD apart.
  virtual std::unique_ptr<DecodeStream> decode_stream(bool skip_special_tokens = false) const;
  /// One more than the largest id, added tokens included (the model's vocab_size may be larger).
  virtual int64_t vocab_size() const = 0;
  /// The token's own text form (vocabulary entry); throws when out of range.
  virtual std::string id_to_token(int32_t id) const = 0;
  virtual std::optional<int32_t> token_to_id(std::string_view token) const = 0;
  virtual bool is_special(int32_t id) const = 0;

  std::optional<int32_t> bos_id() const { return bos_id_; }
  std::optional<int32_t> eos_id() const { return eos_id_; }
  std::optional<int32_t> pad_id() const { return pad_id_; }
  /// The Jinja chat template that came with the tokenizer; empty if there is none.
  const std::string& chat_template() const { return chat_template_; }
  /// The files that load_tokenizer would read this tokenizer from, by name; empty if it was not loaded from files.
  const std::map<std::string, std::string>& files() const { return files_; }

 protected:
  std::optional<int32_t> bos_id_, eos_id_, pad_id_;
  std::string chat_template_;
  std::map<std::string, std::string> files_;
};

/// Loads from a model folder (tokenizer.json [+ tokenizer_config.json, chat_template.jinja] or tokenizer.model), a tokenizer.json,
/// a .gguf, or a sentencepiece .model file. Throws `Error` naming what is missing or not supported.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& path);

/// Writes tokenizer.json (tokenizer.model for sentencepiece), tokenizer_config.json and, if present, chat_template.jinja and
/// special_tokens_map.json into `folder`, so that transformers loads them. The bytes are those that were loaded; from a GGUF file they are
/// built. Throws `Error` if the tokenizer was not loaded from files or writing fails.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

/// Decodes a growing sequence of ids piece by piece: gives text as soon as it is certain, holds back incomplete UTF-8 (and, with
/// byte-fallback vocabularies, a whole run of byte tokens, which one bad byte turns into U+FFFD). The tokenizer must outlive it.
/// The pieces' concatenation, `finish()` included, equals `tokenizer.decode(all ids)`.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens = false);
  /// Adds one id; returns the new certain text, possibly empty.
  std::string push(int32_t id);
  /// Returns what was held back.
  std::string finish();

 private:
  std::unique_ptr<DecodeStream> stream_;
};

}  // namespace grpo
