#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_fields.h"

namespace grpo::text {

/// One decoder of tokenizer.json, working on a stream of tokens. Tokens arrive in fragments of whole characters; each stage passes on
/// what is certain, so that a chain of stages gives the same text however far it is read.
class DecodeStage {
 public:
  virtual ~DecodeStage() = default;
  /// A fragment of the current token.
  virtual void text(std::string_view fragment) = 0;
  /// The current token is complete.
  virtual void end_token() = 0;
  /// No further token comes.
  virtual void finish() { next_->finish(); }

  void set_next(DecodeStage* next) { next_ = next; }

 protected:
  DecodeStage* next_ = nullptr;
};

using DecodeStageFactory = std::function<std::unique_ptr<DecodeStage>()>;

/// Reads "decoder" of tokenizer.json: null (tokens joined by spaces), ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace,
/// Sequence. Throws `Error` naming any other type.
std::vector<DecodeStageFactory> parse_decoder(const Json& json, int depth = 0);

/// A running chain of stages.
class DecodeChain {
 public:
  explicit DecodeChain(const std::vector<DecodeStageFactory>& factories);
  DecodeChain(const DecodeChain&) = delete;  // the sink refers to text_
  DecodeChain& operator=(const DecodeChain&) = delete;
  /// Decodes one more token.
  void push(std::string_view token);
  void finish();
  /// Takes the text that became certain since the last call.
  std::string take();

 private:
  class Sink;
  std::vector<std::unique_ptr<DecodeStage>> stages_;  // the last is the sink
  std::string text_;
};

}  // namespace grpo::text
