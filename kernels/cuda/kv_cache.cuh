#pragma once

#include "../decode_cuda.h"
#include "runtime.cuh"

namespace grpo::kernels {

enum class KvPart { kKeys, kValues };

/// The rows of one kv head of a sequence, cache.stride elements each.
template <class T>
__device__ __forceinline__ T* kv_head_rows(const KvCache& cache, const KvSequence& sequence, KvPart part, int64_t kv_head) {
  const int64_t head = (cache.layer * 2 + (part == KvPart::kValues ? 1 : 0)) * cache.kv_heads + kv_head;
  return static_cast<T*>(cache.pool) + sequence.offset + head * sequence.capacity * cache.stride;
}

}  // namespace grpo::kernels
