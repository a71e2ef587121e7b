#include "text/decoder.h"

#include <iterator>
#include <optional>
#include <utility>

#include "core/utf8.h"
#include "grpo/core/error.h"
#include "text/byte_level.h"
#include "text/regex.h"

namespace grpo::text {
namespace {

constexpr std::string_view kDecoderWhere = "tokenizer.json decoder";

constexpr size_t kMaxTokenBytes = size_t{4} << 20;  // a chain of Replace could double a token at each step

/// A stage that needs each token whole.
class WholeTokenStage : public DecodeStage {
 public:
  void text(std::string_view fragment) final {
    buffer_ += fragment;
    GRPO_CHECK(buffer_.size() <= kMaxTokenBytes, kDecoderWhere, "expected tokens of at most 4 MiB; got a longer one");
  }
  void end_token() final { token(std::exchange(buffer_, {})); }

 protected:
  virtual void token(const std::string& whole) = 0;
  void pass(std::string_view whole) {
    next_->text(whole);
    next_->end_token();
  }

 private:
  std::string buffer_;
};

/// Tokens spell bytes in GPT-2's alphabet; all of them together are one text, decoded lossily.
class ByteLevelStage final : public WholeTokenStage {
 public:
  void finish() override {
    pass(take_lossy_utf8(bytes_, true));
    next_->finish();
  }

 protected:
  void token(const std::string& whole) override {
    bytes_ += alphabet_to_bytes(whole).value_or(whole);
    next_->text(take_lossy_utf8(bytes_, false));
  }

 private:
  std::string bytes_;
};

std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

/// Tokens <0xNN> are bytes. A run of them that is valid UTF-8 is one text; in any other every byte becomes U+FFFD, so a run is certain
/// only when it ends.
class ByteFallbackStage final : public WholeTokenStage {
 public:
  void finish() override {
    end_run();
    next_->finish();
  }

 protected:
  void token(const std::string& whole) override {
    if (const auto byte = fallback_byte(whole)) {
      run_ += *byte;
    } else {
      end_run();
      pass(whole);
    }
  }

 private:
  void end_run() {
    if (run_.empty()) return;
    if (is_valid_utf8(run_)) {
      pass(run_);
    } else {
      for (size_t i = 0; i < run_.size(); ++i) pass(kReplacementCharacter);
    }
    run_.clear();
  }
  std::string run_;
};

class ReplaceStage final : public WholeTokenStage {
 public:
  ReplaceStage(Regex pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}

 protected:
  void token(const std::string& whole) override {
    size_t at = 0;
    for (const Span& span : pattern_.find_all(whole)) {
      next_->text(std::string_view(whole).substr(at, span.begin - at));
      next_->text(content_);
      at = span.end;
    }
    pass(std::string_view(whole).substr(at));
  }

 private:
  Regex pattern_;
  std::string content_;
};

/// Makes one token of all.
class FuseStage final : public DecodeStage {
 public:
  void text(std::string_view fragment) override { next_->text(fragment); }
  void end_token() override {}
  void finish() override {
    next_->end_token();
    next_->finish();
  }
};

/// Drops up to `start` leading and `stop` trailing characters equal to `content` of each token.
class StripStage final : public DecodeStage {
 public:
  StripStage(std::string content, int64_t start, int64_t stop)
      : content_(std::move(content)), start_(start), stop_(stop), leading_(start) {}

  void text(std::string_view fragment) override {
    while (!fragment.empty()) {
      const bool equal = fragment.starts_with(content_);
      const size_t size = equal ? content_.size() : next_character(fragment, 0).length;
      character(fragment.substr(0, size), equal);
      fragment.remove_prefix(size);
    }
  }
  void end_token() override {
    held_ = 0;
    leading_ = start_;
    next_->end_token();
  }

 private:
  void character(std::string_view one, bool equal) {
    if (equal && leading_ > 0) {
      --leading_;
      return;
    }
    leading_ = 0;
    if (equal && held_ < stop_) {
      ++held_;
      return;
    }
    if (!equal) {
      for (; held_ > 0; --held_) next_->text(content_);
    }
    next_->text(one);
  }

  std::string content_;
  int64_t start_, stop_;
  int64_t leading_, held_ = 0;
};

/// The replacement character becomes a space; in the first token it goes where a prefix was added in encoding.
class MetaspaceStage final : public DecodeStage {
 public:
  MetaspaceStage(std::string replacement, bool prefixed) : replacement_(std::move(replacement)), drop_(prefixed) {}
  void text(std::string_view fragment) override { next_->text(replace_all(fragment, replacement_, drop_ ? "" : " ")); }
  void end_token() override {
    drop_ = false;
    next_->end_token();
  }

 private:
  std::string replacement_;
  bool drop_;
};

/// Where there is no decoder: tokens with a space between.
class JoinStage final : public WholeTokenStage {
 protected:
  void token(const std::string& whole) override {
    if (std::exchange(started_, true)) next_->text(" ");
    pass(whole);
  }

 private:
  bool started_ = false;
};

std::string character_member(const Json& json, const std::string& key) {
  std::string content = string_member(json, key, kDecoderWhere);
  GRPO_CHECK(!content.empty() && next_character(content, 0).length == content.size(), kDecoderWhere,
             "expected \"" + key + "\" to be one character; got \"" + content + "\"");
  return content;
}

DecodeStageFactory parse_strip(const Json& json) {
  const int64_t start = int_member(json, "start", kDecoderWhere), stop = int_member(json, "stop", kDecoderWhere);
  GRPO_CHECK(start >= 0 && stop >= 0, kDecoderWhere, "expected Strip to have start and stop of at least 0; got a negative count");
  return [content = character_member(json, "content"), start, stop] { return std::make_unique<StripStage>(content, start, stop); };
}

DecodeStageFactory parse_metaspace_stage(const Json& json) {
  const bool legacy = bool_member(json, "add_prefix_space", kDecoderWhere, true);
  const bool prefixed = string_member(json, "prepend_scheme", kDecoderWhere, legacy ? "always" : "never") != "never";
  return
      [replacement = character_member(json, "replacement"), prefixed] { return std::make_unique<MetaspaceStage>(replacement, prefixed); };
}

template <typename Stage>
std::vector<DecodeStageFactory> one() {
  return {[] { return std::make_unique<Stage>(); }};
}

std::vector<DecodeStageFactory> parse_stage_sequence(const Json& json, int depth) {
  std::vector<DecodeStageFactory> stages;
  for (const Json& part : array_member(json, "decoders", kDecoderWhere)) {
    auto more = parse_decoder(part, depth + 1);
    std::move(more.begin(), more.end(), std::back_inserter(stages));
  }
  return stages;
}

}  // namespace

std::vector<DecodeStageFactory> parse_decoder(const Json& json, int depth) {
  if (json.is_null()) return one<JoinStage>();
  GRPO_CHECK(depth <= kMaxNesting, kDecoderWhere, "expected at most 32 nested sequences; got more");
  const std::string type = string_member(json, "type", kDecoderWhere);
  if (type == "Sequence") return parse_stage_sequence(json, depth);
  if (type == "ByteLevel") return one<ByteLevelStage>();
  if (type == "ByteFallback") return one<ByteFallbackStage>();
  if (type == "Fuse") return one<FuseStage>();
  if (type == "Strip") return {parse_strip(json)};
  if (type == "Metaspace") return {parse_metaspace_stage(json)};
  if (type == "Replace") {
    return {[pattern = Regex(pattern_member(json, kDecoderWhere)), content = string_member(json, "content", kDecoderWhere)] {
      return std::make_unique<ReplaceStage>(pattern, content);
    }};
  }
  fail(kDecoderWhere, "expected a supported type; got " + type);
}

/// The end of a chain: collects the text.
class DecodeChain::Sink final : public DecodeStage {
 public:
  explicit Sink(std::string& out) : out_(out) {}
  void text(std::string_view fragment) override { out_ += fragment; }
  void end_token() override {}
  void finish() override {}

 private:
  std::string& out_;
};

DecodeChain::DecodeChain(const std::vector<DecodeStageFactory>& factories) {
  for (const auto& factory : factories) stages_.push_back(factory());
  stages_.push_back(std::make_unique<Sink>(text_));
  for (size_t i = 0; i + 1 < stages_.size(); ++i) stages_[i]->set_next(stages_[i + 1].get());
}

void DecodeChain::push(std::string_view token) {
  stages_.front()->text(token);
  stages_.front()->end_token();
}

void DecodeChain::finish() { stages_.front()->finish(); }

std::string DecodeChain::take() { return std::exchange(text_, {}); }

}  // namespace grpo::text
