#pragma once

#include "../decode_cuda.h"
#include "runtime.cuh"

namespace grpo::kernels {

enum class KvPart { kKeys, kValues };

/// The row of one kv head at a sequence's `entry`, cache.stride elements; those up to the end of its page follow.
template <class T>
__device__ __forceinline__ T* kv_row(const KvCache& cache, const KvSequence& sequence, KvPart part, int64_t kv_head, int64_t entry) {
  const int64_t page = cache.pages[sequence.first_page + entry / kKvPage];
  const int64_t head = (cache.layer * 2 + (part == KvPart::kValues ? 1 : 0)) * cache.kv_heads + kv_head;
  return static_cast<T*>(cache.pool) + page * cache.page_elements + (head * kKvPage + entry % kKvPage) * cache.stride;
}

}  // namespace grpo::kernels
