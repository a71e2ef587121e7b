#include "buffer.h"

#include <string>

#include "grpo/core/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace grpo {
namespace {
constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;
}

void* allocate_aligned(size_t bytes, std::string_view what) {
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  GRPO_CHECK(memory != nullptr, "Buffer", "expected " + std::to_string(bytes) + " bytes of memory for " + std::string(what) + "; got none");
#if defined(__linux__)
  if (alignment == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);  // a hint: failure costs speed only
#endif
  return memory;
}

}  // namespace grpo
