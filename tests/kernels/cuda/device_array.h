#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "cuda/runtime.cuh"
#include "device.h"
#include "order.h"

namespace grpo::kernels::testing {

using device::Element;

/// An array in device memory, with nothing behind it.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : count_(values.size()) {
    buffer_.resize(static_cast<int64_t>(count_ * sizeof(T)), "a test");
    device::upload(buffer_.data(), values.data(), buffer_.bytes(), nullptr);
  }
  /// Poisoned.
  explicit DeviceArray(int64_t count) : count_(static_cast<size_t>(count)) {
    buffer_.resize(static_cast<int64_t>(count_ * sizeof(T)), "a test");
  }
  T* data() const { return buffer_.data<T>(); }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    device::download(values.data(), buffer_.data(), static_cast<int64_t>(count_ * sizeof(T)), nullptr);
    return values;
  }

 private:
  device::Buffer buffer_;
  size_t count_;
};

/// Floats in device memory as fp32 or bf16.
class Stored {
 public:
  Stored(const std::vector<float>& values, Element element) : element_(element), bytes_(encode(values, element)) {}
  Stored(int64_t count, Element element) : element_(element), bytes_(count * device::size_of(element)) {}
  void* data() const { return bytes_.data(); }
  std::vector<float> read() const {
    const std::vector<uint8_t> bytes = bytes_.read();
    std::vector<float> values(bytes.size() / static_cast<size_t>(device::size_of(element_)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = element_ == Element::kF32 ? at<float>(bytes, i) : to_float(at<bf16>(bytes, i));
    return values;
  }

 private:
  template <class T>
  static T at(const std::vector<uint8_t>& bytes, size_t i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  }
  static std::vector<uint8_t> encode(const std::vector<float>& values, Element element) {
    std::vector<uint8_t> bytes(values.size() * static_cast<size_t>(device::size_of(element)));
    for (size_t i = 0; i < values.size(); ++i) {
      const bf16 half = from_float<bf16>(values[i]);
      if (element == Element::kF32) {
        std::memcpy(bytes.data() + i * 4, &values[i], 4);
      } else {
        std::memcpy(bytes.data() + i * 2, &half, 2);
      }
    }
    return bytes;
  }
  Element element_;
  DeviceArray<uint8_t> bytes_;
};

/// Fresh random values, and a fresh order of threads per test.
class Draws {
 public:
  Draws() : seed_(std::random_device{}()), random_(seed_) { set_order(seed_ % 7); }
  uint32_t seed() const { return seed_; }
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  bool flip() { return pick(0, 1) == 1; }
  Element element() { return flip() ? Element::kF32 : Element::kBF16; }
  std::vector<float> normals(int64_t count, float spread = 1.0F) {
    std::normal_distribution<float> normal(0.0F, spread);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = normal(random_);
    return values;
  }
  template <class T>
  void shuffle(std::vector<T>& values) {
    std::shuffle(values.begin(), values.end(), random_);
  }
  void shuffle_order() { set_order(static_cast<uint64_t>(pick(0, 1000))); }

 private:
  uint32_t seed_;
  std::mt19937_64 random_;
};

/// What storing a result of this size may cost.
inline double rounding(Element element, double value) { return (element == Element::kF32 ? 1e-5 : 0.5e-2) * (1.0 + std::abs(value)); }

}  // namespace grpo::kernels::testing
