#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace grpo {

/// `bytes` on a cache line's boundary, in huge pages where they are many. Throws an Error naming `what` where memory is short.
void* allocate_aligned(size_t bytes, std::string_view what);

/// Numbers on a cache line's boundary. Their values are indeterminate after `resize`.
template <class T>
class Buffer {
 public:
  /// At least `count` numbers; allocates only where it grows. Throws an Error naming `what` where memory is short.
  void resize(int64_t count, std::string_view what) {
    if (count <= size_) return;
    release();
    data_.reset(static_cast<T*>(allocate_aligned(static_cast<size_t>(count) * sizeof(T), what)));
    size_ = count;
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  void release() {
    data_.reset();
    size_ = 0;
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T[], Free> data_;
  int64_t size_ = 0;
};

}  // namespace grpo
