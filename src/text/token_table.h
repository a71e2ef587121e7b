#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace grpo::text {

/// A vocabulary: ids to texts, and back through a flat open-addressing table. Texts are distinct; ids may have gaps.
class TokenTable {
 public:
  static constexpr int32_t kNone = -1;

  /// Room for ids below `id_end` and `count` tokens; more must not be inserted.
  explicit TokenTable(size_t id_end = 0, size_t count = 0);

  /// False, and nothing changes, where `id` or `text` is there already.
  bool insert(int32_t id, std::string_view text);
  /// kNone where no token has this text.
  int32_t find(std::string_view text) const { return slots_[slot_of(text)].id; }
  /// Null where no token has this id.
  const std::string* text(int32_t id) const;
  int32_t id_end() const { return static_cast<int32_t>(texts_.size()); }

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t id = kNone;
  };
  size_t slot_of(std::string_view text) const;

  std::vector<std::string> texts_;  // by id; empty in a gap
  int32_t empty_text_id_ = kNone;
  std::vector<Slot> slots_;
};

}  // namespace grpo::text
