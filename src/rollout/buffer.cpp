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

void FloatBuffer::resize(int64_t count, std::string_view what) {
  if (count <= size_) return;
  release();
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  data_.reset(static_cast<float*>(std::aligned_alloc(alignment, rounded)));
  GRPO_CHECK(data_ != nullptr, "FloatBuffer",
             "expected " + std::to_string(bytes) + " bytes of memory for " + std::string(what) + "; got none");
#if defined(__linux__)
  if (alignment == kHugePage) madvise(data_.get(), rounded, MADV_HUGEPAGE);  // a hint: failure costs speed only
#endif
  size_ = count;
}

void FloatBuffer::release() {
  data_.reset();
  size_ = 0;
}

}  // namespace grpo
