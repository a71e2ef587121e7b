#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

struct CUstream_st;
struct CUevent_st;
struct CUgraphExec_st;

// The thin layer between the library and a GPU. cuda/gpu implements it over the CUDA runtime and cuBLASLt; cuda/host over plain memory,
// for tests without a GPU: there memory starts out and ends as NaN, and a stream's work is done when somebody waits for it.
// C++17, as nvcc's files include it. All functions throw an Error where the device fails.
namespace grpo::device {

enum class Element : uint8_t { kF32, kBF16 };
inline int64_t size_of(Element element) { return element == Element::kF32 ? 4 : 2; }

struct Properties {
  std::string name;
  int multiprocessors = 0;
  int64_t shared_bytes = 0;  // that one block may have
  int64_t total_bytes = 0, free_bytes = 0;
};
/// Devices that can be used; 0 without a driver.
int count();
Properties properties();

/// Memory of the device, uninitialised. Movable.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  /// At least `bytes`; allocates, and loses what it held, only where it grows. An Error names `what` where memory is short.
  void resize(int64_t bytes, std::string_view what);
  void release() noexcept;
  int64_t bytes() const { return bytes_; }
  template <class T = void>
  T* data() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// Work in order. Launches and copies return at once; the memory they name stays valid until the stream is waited for.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  CUstream_st* get() const { return stream_; }
  void synchronize();

 private:
  CUstream_st* stream_ = nullptr;
};

/// A point in a stream's work.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Stream& stream);
  /// Makes `stream` wait for the point that was recorded last.
  void hold(const Stream& stream) const;
  void synchronize() const;

 private:
  CUevent_st* event_ = nullptr;
};

/// Launches recorded once and replayed as one. Movable.
class Graph {
 public:
  Graph() = default;
  ~Graph();
  Graph(Graph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  /// Records what `work` enqueues on `stream`, which is not run. Nothing in it may allocate or wait.
  static Graph capture(const Stream& stream, const std::function<void()>& work);
  void replay(const Stream& stream) const;
  explicit operator bool() const { return graph_ != nullptr; }

 private:
  CUgraphExec_st* graph_ = nullptr;
};

/// Waits for all work of the device, whoever enqueued it.
void synchronize();

/// To the device, from it, within it.
void upload(void* to, const void* from, int64_t bytes, CUstream_st* stream);
void download(void* to, const void* from, int64_t bytes, CUstream_st* stream);
void copy(void* to, const void* from, int64_t bytes, CUstream_st* stream);
/// Sets every byte.
void fill(void* to, uint8_t value, int64_t bytes, CUstream_st* stream);

/// A row-major matrix, `stride` elements from row to row; op(M) is M or its transpose.
struct Matrix {
  const void* data = nullptr;
  Element element = Element::kF32;
  int64_t stride = 0;
  bool transposed = false;
};
/// Where a product goes: c [m, n] = alpha op(a) [m, k] op(b) [k, n] + beta c. With beta = 0, c is not read.
struct Product {
  void* c = nullptr;
  Element element = Element::kF32;
  int64_t stride = 0;
  float alpha = 1.0F, beta = 0.0F;
};
/// Sums in fp32. a and b have one element type; c has theirs or fp32. Sizes may be 0: with m or n nothing happens, with k c *= beta.
void matmul(const Matrix& a, const Matrix& b, const Product& product, int64_t m, int64_t n, int64_t k, CUstream_st* stream);

}  // namespace grpo::device
