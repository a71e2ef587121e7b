#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/gguf_bytes.h"
#include "text/gguf_tokenizer.h"

namespace grpo::testing {

/// The metadata of a GGUF file that holds nothing but a tokenizer.
class GgufMetadata {
 public:
  GgufMetadata(const std::string& model, const std::vector<std::string>& tokens, const std::vector<int32_t>& types) {
    text("tokenizer.ggml.model", model).texts("tokenizer.ggml.tokens", tokens);
    start("tokenizer.ggml.token_type", 9).raw<uint32_t>(5).raw<uint64_t>(types.size());
    for (const int32_t type : types) body_.raw(type);
  }
  GgufMetadata& text(const std::string& key, const std::string& value) {
    start(key, 8).string(value);
    return *this;
  }
  GgufMetadata& texts(const std::string& key, const std::vector<std::string>& values) {
    start(key, 9).raw<uint32_t>(8).raw<uint64_t>(values.size());
    for (const std::string& value : values) body_.string(value);
    return *this;
  }
  GgufMetadata& scores(const std::vector<float>& values) {
    start("tokenizer.ggml.scores", 9).raw<uint32_t>(6).raw<uint64_t>(values.size());
    for (const float value : values) body_.raw(value);
    return *this;
  }
  GgufMetadata& id(const std::string& key, uint32_t value) {
    start("tokenizer.ggml." + key, 4).raw(value);
    return *this;
  }
  GgufMetadata& flag(const std::string& key, bool value) {
    start("tokenizer.ggml." + key, 7).raw<uint8_t>(value);
    return *this;
  }
  std::string bytes() const { return GgufBytes().header(0, pairs_).data(body_.str()).str(); }
  std::shared_ptr<const Tokenizer> load() const {
    const std::string file = bytes();
    return text::make_gguf_tokenizer(parse_gguf(std::as_bytes(std::span(file))));
  }

 private:
  GgufBytes& start(const std::string& key, uint32_t type) {
    ++pairs_;
    return body_.key(key, type);
  }
  uint64_t pairs_ = 0;
  GgufBytes body_;
};

}  // namespace grpo::testing
