#include "pages.h"

namespace grpo {

PagePool::PagePool(int64_t pages, int64_t sequences) : sequences_(static_cast<size_t>(sequences)) {
  for (int64_t p = pages; p-- > 0;) free_.push_back(static_cast<int32_t>(p));
}

void PagePool::release(int32_t sequence) {
  CachedSequence& released = sequences_[static_cast<size_t>(sequence)];
  free_.insert(free_.end(), released.pages.rbegin(), released.pages.rend());
  released = {};
}

void PagePool::go_on_after(int32_t sequence, int32_t prefix, int64_t prefix_length) {
  release(sequence);
  sequences_[static_cast<size_t>(sequence)].prefix = prefix;
  sequences_[static_cast<size_t>(sequence)].prefix_length = prefix_length;
}

bool PagePool::grow(int32_t sequence, int64_t entries) {
  std::vector<int32_t>& pages = sequences_[static_cast<size_t>(sequence)].pages;
  const int64_t missing = pages_for(entries) - static_cast<int64_t>(pages.size());
  if (missing > free_pages()) return false;
  for (int64_t p = 0; p < missing; ++p) {
    pages.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

}  // namespace grpo
