#include <string_view>
#include <utility>

#include "core/utf8.h"
#include "grpo/text/tokenizer.h"

namespace grpo {
namespace {

/// The stream of a tokenizer that only has decode().
class WholeDecodeStream final : public DecodeStream {
 public:
  WholeDecodeStream(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  std::string push(int32_t id) override {
    ids_.push_back(id);
    const std::string text = tokenizer_.decode(ids_, skip_special_tokens_);
    std::string_view certain = text;
    while (certain.ends_with(kReplacementCharacter)) certain.remove_suffix(kReplacementCharacter.size());
    return take(certain);
  }
  std::string finish() override { return take(tokenizer_.decode(ids_, skip_special_tokens_)); }

 private:
  std::string take(std::string_view text) {
    if (text.size() <= given_) return {};
    return std::string(text.substr(std::exchange(given_, text.size())));
  }

  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  std::vector<int32_t> ids_;
  size_t given_ = 0;  // bytes of the text
};

}  // namespace

std::unique_ptr<DecodeStream> Tokenizer::decode_stream(bool skip_special_tokens) const {
  return std::make_unique<WholeDecodeStream>(*this, skip_special_tokens);
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : stream_(tokenizer.decode_stream(skip_special_tokens)) {}

std::string StreamDecoder::push(int32_t id) { return stream_->push(id); }

std::string StreamDecoder::finish() { return stream_->finish(); }

}  // namespace grpo
