#include "text/token_table.h"

#include <bit>
#include <functional>

namespace grpo::text {

TokenTable::TokenTable(size_t id_end, size_t count) : texts_(id_end), slots_(std::bit_ceil(2 * count + 1)) {}

size_t TokenTable::slot_of(std::string_view text) const {
  const size_t hash = std::hash<std::string_view>{}(text);
  size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].id != kNone &&
         (slots_[slot].hash != static_cast<uint32_t>(hash) || texts_[static_cast<size_t>(slots_[slot].id)] != text)) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

bool TokenTable::insert(int32_t id, std::string_view text) {
  Slot& slot = slots_[slot_of(text)];
  if (slot.id != kNone || this->text(id) != nullptr) return false;
  slot = {static_cast<uint32_t>(std::hash<std::string_view>{}(text)), id};
  texts_[static_cast<size_t>(id)] = text;
  if (text.empty()) empty_text_id_ = id;
  return true;
}

const std::string* TokenTable::text(int32_t id) const {
  if (id < 0 || id >= id_end()) return nullptr;
  const std::string& text = texts_[static_cast<size_t>(id)];
  return text.empty() && id != empty_text_id_ ? nullptr : &text;
}

}  // namespace grpo::text
