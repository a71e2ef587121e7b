#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv_page.h"

namespace grpo {

/// Positions of a page, which has the keys and values of all layers.
inline constexpr int64_t kPageEntries = kernels::kKvPage;
constexpr int64_t pages_for(int64_t entries) { return (entries + kPageEntries - 1) / kPageEntries; }

/// Where a sequence's keys and values lie: its own entry i in page pages[i / kPageEntries] of the pool.
struct CachedSequence {
  std::vector<int32_t> pages;
  int32_t prefix = -1;        // the sequence whose first `prefix_length` positions come before its own; -1 = none
  int64_t prefix_length = 0;  // positions
};

/// Hands the pages of a pool to sequences as these grow.
class PagePool {
 public:
  PagePool(int64_t pages, int64_t sequences);

  std::span<const CachedSequence> sequences() const { return sequences_; }
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }
  /// Makes the sequence empty and gives its pages back.
  void release(int32_t sequence);
  /// Makes the sequence empty, to go on after the first `prefix_length` positions of sequence `prefix`.
  void go_on_after(int32_t sequence, int32_t prefix, int64_t prefix_length);
  /// Gives the sequence room for `entries` of its own. False where the pool has too few pages left; then nothing has changed.
  bool grow(int32_t sequence, int64_t entries);

 private:
  std::vector<int32_t> free_;
  std::vector<CachedSequence> sequences_;
};

}  // namespace grpo
