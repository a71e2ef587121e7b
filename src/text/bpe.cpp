#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <queue>

#include "core/json.h"
#include "core/utf8.h"
#include "grpo/core/error.h"

namespace grpo::text {
namespace {

constexpr std::string_view kBpeWhere = "tokenizer.json model";

/// The symbols of one piece as a doubly linked list, so that a merge costs O(log n).
class Word {
 public:
  Word(const MergeTable& merges, const std::vector<int32_t>& ids) : merges_(merges), symbols_(ids.size()) {
    const auto count = static_cast<int32_t>(ids.size());
    for (int32_t i = 0; i < count; ++i) at(i) = {ids[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : kNone};
    for (int32_t i = 0; i + 1 < count; ++i) propose(i);
  }

  void merge_all() {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      Symbol& left = at(best.position);
      if (left.id < 0 || left.next == kNone) continue;
      const MergeTable::Merge* merge = merges_.find(left.id, at(left.next).id);
      if (merge == nullptr || merge->id != best.id) continue;  // one of the two has changed since
      Symbol& right = at(left.next);
      left.id = best.id;
      left.next = right.next;
      right.id = kNone;
      if (left.next != kNone) at(left.next).previous = best.position;
      if (left.previous != kNone) propose(left.previous);
      propose(best.position);
    }
  }

  void append_to(std::vector<int32_t>& ids) const {
    for (const Symbol& symbol : symbols_) {
      if (symbol.id >= 0) ids.push_back(symbol.id);
    }
  }

 private:
  static constexpr int32_t kNone = -1;
  struct Symbol {
    int32_t id, previous, next;
  };
  struct Candidate {
    uint32_t rank;
    int32_t position, id;
    bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : position > other.position; }
  };

  Symbol& at(int32_t position) { return symbols_[static_cast<size_t>(position)]; }

  void propose(int32_t position) {
    const Symbol& left = at(position);
    if (left.next == kNone) return;
    if (const auto* merge = merges_.find(left.id, at(left.next).id)) queue_.push({merge->rank, position, merge->id});
  }

  const MergeTable& merges_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

MergeTable::MergeTable(size_t count) : slots_(std::bit_ceil(2 * count + 1)) {}

size_t MergeTable::slot_of(int32_t left, int32_t right) const {
  uint64_t hash = (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right)) * 0x9E3779B97F4A7C15ull;
  hash ^= hash >> 32;
  size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].left >= 0 && (slots_[slot].left != left || slots_[slot].right != right)) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void MergeTable::insert(int32_t left, int32_t right, Merge merge) { slots_[slot_of(left, right)] = {left, right, merge}; }

const MergeTable::Merge* MergeTable::find(int32_t left, int32_t right) const {
  const Slot& slot = slots_[slot_of(left, right)];
  return slot.left < 0 ? nullptr : &slot.merge;
}

BpeModel::BpeModel(const Json& json) {
  const std::string type = string_member(json, "type", kBpeWhere, "BPE");  // older files leave it out
  GRPO_CHECK(type == "BPE", kBpeWhere, "expected the supported type BPE; got " + type);
  const Json& dropout = optional_member(json, "dropout");
  GRPO_CHECK(dropout.is_null() || dropout == 0.0, kBpeWhere, "expected no dropout; got " + to_text(dropout));
  read_vocabulary(member(json, "vocab", kBpeWhere));
  prefix_ = string_member(json, "continuing_subword_prefix", kBpeWhere, "");
  suffix_ = string_member(json, "end_of_word_suffix", kBpeWhere, "");
  fuse_unknown_ = bool_member(json, "fuse_unk", kBpeWhere, false);
  ignore_merges_ = bool_member(json, "ignore_merges", kBpeWhere, false);
  read_merges(array_member(json, "merges", kBpeWhere));
  if (const std::string unknown = string_member(json, "unk_token", kBpeWhere, ""); !unknown.empty()) {
    unknown_ = token_to_id(unknown);
    GRPO_CHECK(unknown_, kBpeWhere, "expected unk_token to be in the vocabulary; got " + unknown);
  }
  if (bool_member(json, "byte_fallback", kBpeWhere, false)) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      byte_ids_.push_back(token_to_id(name).value_or(-1));
    }
  }
}

void BpeModel::read_vocabulary(const Json& vocabulary) {
  GRPO_CHECK(vocabulary.is_object(), kBpeWhere, std::string("expected \"vocab\" to be an object; got ") + vocabulary.type_name());
  int32_t largest = -1;
  for (const auto& entry : vocabulary.items()) largest = std::max(largest, token_id(entry.value(), kBpeWhere));
  const size_t count = static_cast<size_t>(largest) + 1;
  GRPO_CHECK(count <= 4 * vocabulary.size() + 65536, kBpeWhere,
             "expected ids without large gaps; got " + std::to_string(vocabulary.size()) + " tokens and the id " + std::to_string(largest));
  tokens_ = TokenTable(count, vocabulary.size());
  for (const auto& entry : vocabulary.items()) {
    const int32_t id = entry.value().get<int32_t>();
    GRPO_CHECK(tokens_.insert(id, entry.key()), kBpeWhere, "expected distinct ids; got " + std::to_string(id) + " twice");
  }
}

void BpeModel::read_merges(const Json& merges) {
  merges_ = MergeTable(merges.size());
  uint32_t rank = 0;
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      if (text.starts_with("#version")) continue;
      const size_t space = text.find(' ');
      GRPO_CHECK(space != std::string::npos && text.find(' ', space + 1) == std::string::npos, kBpeWhere,
                 "expected a merge \"left right\"; got \"" + text + "\"");
      add_merge(std::string_view(text).substr(0, space), std::string_view(text).substr(space + 1), rank++);
    } else {
      GRPO_CHECK(merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string(), kBpeWhere,
                 "expected a merge [left, right]; got " + to_text(merge));
      add_merge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>(), rank++);
    }
  }
}

void BpeModel::add_merge(std::string_view left, std::string_view right, uint32_t rank) {
  const auto id_of = [&](std::string_view token) {
    const auto id = token_to_id(token);
    GRPO_CHECK(id, kBpeWhere,
               "expected the tokens of merge " + std::to_string(rank) + " in the vocabulary; got \"" + std::string(token) + "\"");
    return *id;
  };
  GRPO_CHECK(right.size() >= prefix_.size(), kBpeWhere,
             "expected merged tokens to carry continuing_subword_prefix; got \"" + std::string(right) + "\"");
  const std::string merged = std::string(left) + std::string(right.substr(prefix_.size()));
  const int32_t left_id = id_of(left), right_id = id_of(right);
  merges_.insert(left_id, right_id, {rank, id_of(merged)});
}

std::optional<int32_t> BpeModel::token_to_id(std::string_view token) const {
  const int32_t id = tokens_.find(token);
  return id == TokenTable::kNone ? std::nullopt : std::optional(id);
}

bool BpeModel::append_bytes(std::string_view character, std::vector<int32_t>& ids) const {
  if (byte_ids_.empty()) return false;
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (std::any_of(character.begin(), character.end(), [&](char byte) { return id_of(byte) < 0; })) return false;
  for (const char byte : character) ids.push_back(id_of(byte));
  return true;
}

std::vector<int32_t> BpeModel::symbols(std::string_view piece) const {
  std::vector<int32_t> ids;
  ids.reserve(piece.size());
  bool unknown_run = false;  // an unknown token not yet given out; known characters end it, bytes do not
  std::string affixed;
  for (size_t at = 0; at < piece.size();) {
    const size_t length = next_character(piece, at).length;
    std::string_view character = piece.substr(at, length);
    if (!prefix_.empty() || !suffix_.empty()) {
      affixed = (at > 0 ? prefix_ : "") + std::string(character) + (at + length == piece.size() ? suffix_ : "");
      character = affixed;
    }
    at += length;
    if (const auto id = token_to_id(character)) {
      if (std::exchange(unknown_run, false)) ids.push_back(*unknown_);
      ids.push_back(*id);
    } else if (!append_bytes(character, ids) && unknown_) {
      if (unknown_run && !fuse_unknown_) ids.push_back(*unknown_);
      unknown_run = true;
    }
  }
  if (unknown_run) ids.push_back(*unknown_);
  return ids;
}

void BpeModel::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    if (const auto whole = token_to_id(piece)) {
      ids.push_back(*whole);
      return;
    }
  }
  Word word(merges_, symbols(piece));
  word.merge_all();
  word.append_to(ids);
}

}  // namespace grpo::text
