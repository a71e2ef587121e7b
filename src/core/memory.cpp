#include "grpo/core/memory.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace grpo {

void keep_freed_memory() {
#ifdef __GLIBC__
  if (std::getenv("GLIBC_TUNABLES") != nullptr || std::getenv("MALLOC_MMAP_THRESHOLD_") != nullptr) return;
  constexpr int kLargest = 1 << 30;
  if (mallopt(M_MMAP_THRESHOLD, kLargest) == 0) mallopt(M_MMAP_MAX, 0);  // older versions refuse so high a threshold
  mallopt(M_TRIM_THRESHOLD, kLargest);
#endif
}

}  // namespace grpo
