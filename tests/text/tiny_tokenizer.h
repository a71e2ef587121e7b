#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "grpo/text/tokenizer.h"
#include "text/tokenizer_files.h"

namespace grpo::testing {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

/// A tokenizer.json with the given vocabulary (ids in order) and merges, and nothing else; tests set further parts of `json`.
struct TinyTokenizer {
  Json json;

  TinyTokenizer(const std::vector<std::string>& vocabulary, const std::vector<std::pair<std::string, std::string>>& merges = {}) {
    Json vocab = Json::object(), pairs = Json::array();
    for (size_t id = 0; id < vocabulary.size(); ++id) vocab[vocabulary[id]] = id;
    for (const auto& [left, right] : merges) pairs.push_back(Json::array({left, right}));
    json["model"] = {{"type", "BPE"}, {"vocab", vocab}, {"merges", pairs}};
    json["decoder"] = {{"type", "Fuse"}};
    json["added_tokens"] = Json::array();
  }
  TinyTokenizer& with(const std::string& key, const Json& value) {
    json[key] = value;
    return *this;
  }
  TinyTokenizer& model(const std::string& key, const Json& value) {
    json["model"][key] = value;
    return *this;
  }
  TinyTokenizer& added(int32_t id, const std::string& content, const Json& flags = Json::object()) {
    Json token{{"id", id}, {"content", content}, {"normalized", false}, {"special", false}};
    token.update(flags);
    json["added_tokens"].push_back(token);
    return *this;
  }
  std::shared_ptr<const Tokenizer> load(text::TokenizerFiles files = {}) const {
    files["tokenizer.json"] = json.dump();
    return text::tokenizer_from_files(std::move(files));
  }
};

/// What a StreamDecoder gives for each id, and at the end.
inline std::vector<std::string> stream_pieces(const Tokenizer& tokenizer, const Ids& ids, bool skip_special_tokens = false) {
  StreamDecoder decoder(tokenizer, skip_special_tokens);
  std::vector<std::string> pieces;
  for (const int32_t id : ids) pieces.push_back(decoder.push(id));
  pieces.push_back(decoder.finish());
  return pieces;
}

inline std::string joined(const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) out += piece;
  return out;
}

}  // namespace grpo::testing
