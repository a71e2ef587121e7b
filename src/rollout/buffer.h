#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace grpo {

/// Floats on a cache line's boundary, in huge pages where they are many. Their values are indeterminate after `resize`.
class FloatBuffer {
 public:
  /// At least `count` floats; allocates only where it grows. Throws an Error naming `what` where memory is short.
  void resize(int64_t count, std::string_view what);
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  void release();

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], Free> data_;
  int64_t size_ = 0;
};

}  // namespace grpo
