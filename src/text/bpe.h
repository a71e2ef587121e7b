#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_fields.h"
#include "text/token_table.h"

namespace grpo::text {

/// The merges of a BPE model: (left id, right id) → rank and merged id. A flat open-addressing table.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank = 0;
    int32_t id = 0;
  };
  /// Room for `count` merges; more must not be inserted.
  explicit MergeTable(size_t count = 0);
  void insert(int32_t left, int32_t right, Merge merge);  // the last one of equal pairs counts
  /// Null where the pair does not merge.
  const Merge* find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    int32_t left = -1, right = -1;
    Merge merge;
  };
  size_t slot_of(int32_t left, int32_t right) const;
  std::vector<Slot> slots_;
};

/// The model of tokenizer.json of type BPE (Sennrich et al., arXiv:1508.07909): pieces to ids by merging the pair of lowest rank first,
/// the leftmost on ties.
class BpeModel {
 public:
  /// Reads "model"; throws `Error` naming what is malformed or not supported.
  explicit BpeModel(const Json& json);

  /// Appends the ids of one piece, in O(n log n).
  void encode(std::string_view piece, std::vector<int32_t>& ids) const;

  std::optional<int32_t> token_to_id(std::string_view token) const;
  /// Null where there is no such id.
  const std::string* id_to_token(int32_t id) const { return tokens_.text(id); }
  /// One more than the largest id.
  int32_t id_end() const { return tokens_.id_end(); }

 private:
  void read_vocabulary(const Json& vocabulary);
  void read_merges(const Json& merges);
  void add_merge(std::string_view left, std::string_view right, uint32_t rank);
  std::vector<int32_t> symbols(std::string_view piece) const;
  bool append_bytes(std::string_view character, std::vector<int32_t>& ids) const;

  TokenTable tokens_;
  MergeTable merges_;
  std::vector<int32_t> byte_ids_;  // of <0x00> … <0xFF>, -1 where absent; empty without byte fallback
  std::optional<int32_t> unknown_;
  std::string prefix_, suffix_;  // of continuing characters, of the last one
  bool fuse_unknown_ = false, ignore_merges_ = false;
};

}  // namespace grpo::text
