#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "cuda/runtime.cuh"
#include "device.h"
#include "dispatch.h"
#include "order.h"
#include "train_cuda.h"

namespace grpo::kernels {

using Values = std::vector<double>;
using Ids = std::vector<int32_t>;
using device::Element;

/// Values in the device's memory that ends where they end, or, with a `guard`, has NaNs on both sides which must be there still when it
/// goes.
template <class T>
class Memory {
 public:
  Memory(size_t count, size_t guard) : count_(count), guard_(guard) {
    buffer_.resize(bytes(count + 2 * guard), "a test");
    device::fill(buffer_.data(), 0xFF, buffer_.bytes(), nullptr);
  }
  Memory(const std::vector<T>& values, size_t guard) : Memory(values.size(), guard) {
    device::upload(data(), values.data(), bytes(count_), nullptr);
  }
  Memory(const Memory&) = delete;
  ~Memory() {
    std::vector<std::byte> edge(guard_ * sizeof(T));
    const auto intact = [&](const T* from) {
      device::download(edge.data(), from, bytes(guard_), nullptr);
      return std::all_of(edge.begin(), edge.end(), [](std::byte byte) { return byte == std::byte{0xFF}; });
    };
    EXPECT_TRUE(intact(data() - guard_)) << "written before the memory";
    EXPECT_TRUE(intact(data() + count_)) << "written beyond the memory";
  }
  T* data() const { return buffer_.data<T>() + guard_; }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    device::download(values.data(), data(), bytes(count_), nullptr);
    return values;
  }

 private:
  static int64_t bytes(size_t count) { return static_cast<int64_t>(count * sizeof(T)); }
  size_t count_, guard_;
  device::Buffer buffer_;
};

/// A tensor of an element type that is known at run time.
class Array {
 public:
  Array(Element element, size_t count, size_t guard)
      : element_(element), f32_(element == Element::kF32 ? count : 0, guard), half_(element == Element::kF32 ? 0 : count, guard) {}
  Array(Element element, const Values& values, size_t guard)
      : element_(element),
        f32_(encode<float>(values, element == Element::kF32), guard),
        half_(encode<bf16>(values, element == Element::kBF16), guard) {}
  void* data() { return element_ == Element::kF32 ? static_cast<void*>(f32_.data()) : static_cast<void*>(half_.data()); }
  float* floats() { return f32_.data(); }
  Values read() {
    Values values;
    for (const float value : f32_.read()) values.push_back(value);
    for (const bf16 value : half_.read()) values.push_back(to_float(value));
    return values;
  }

 private:
  template <class T>
  static std::vector<T> encode(const Values& values, bool used) {
    std::vector<T> encoded;
    for (size_t i = 0; used && i < values.size(); ++i) encoded.push_back(from_float<T>(static_cast<float>(values[i])));
    return encoded;
  }
  Element element_;
  Memory<float> f32_;
  Memory<bf16> half_;
};

template <class T>
using Plain = Memory<T>;

/// Kernels of one element type against plain loops in double and against the scalar CPU kernels, over shapes and values drawn afresh.
class CudaTrain : public ::testing::TestWithParam<Element> {
 protected:
  static constexpr uint64_t kOrders = 4;  // ascending, descending, two shuffled

  CudaTrain() : seed_(std::random_device{}()), random_(seed_), trace_(__FILE__, __LINE__, "seed " + std::to_string(seed_)) {}

  const CudaTrainKernels& cuda() const { return cuda_train_kernels(GetParam()); }
  static const TrainKernels& cpu() { return *available_cpu_kernels().back().train; }

  int64_t between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  /// Normal values that the element type, or fp32, represents.
  Values randoms(int64_t count, double deviation = 1.0) { return draw(count, deviation, GetParam()); }
  Values random_floats(int64_t count, double deviation = 1.0) { return draw(count, deviation, Element::kF32); }

  /// As the element type stores it.
  static double rounded(double value) { return Array(GetParam(), Values{value}, 0).read()[0]; }

  /// Work(guard) gives the kernel's results, the same in every order of threads and blocks.
  template <class Work>
  auto in_every_order(const Work& work) {
    testing::set_order(0);
    const auto first = work(0);
    for (uint64_t order = 1; order < kOrders; ++order) {
      testing::set_order(order);
      EXPECT_EQ(work(order % 2 * 64), first) << "order " << order;
    }
    return first;
  }

  /// Within rounding of the element type to what it stores; `scale` multiplies the tolerance.
  void expect_near(const Values& got, const Values& expected, const char* what, double scale = 1.0) const {
    expect_within(got, expected, (GetParam() == Element::kF32 ? 1e-5 : 4e-3) * scale, what);
  }
  static void expect_within(const Values& got, const Values& expected, double tolerance, const char* what) {
    ASSERT_EQ(got.size(), expected.size()) << what;
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], tolerance * (1.0 + std::abs(expected[i]))) << what << " element " << i << " of " << got.size();
  }

  /// d loss / d x by central differences in double.
  static Values gradient(Values& x, const std::function<double()>& loss) {
    Values result;
    constexpr double kStep = 1e-5;
    for (double& v : x) {
      const double keep = v;
      v = keep + kStep;
      const double up = loss();
      v = keep - kStep;
      result.push_back((up - loss()) / (2.0 * kStep));
      v = keep;
    }
    return result;
  }
  static double dot(const Values& a, const Values& b) {
    double sum = 0.0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
  static Values sum(Values a, const Values& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }
  static std::vector<float> floats(const Values& values) { return {values.begin(), values.end()}; }
  static Values doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

 private:
  Values draw(int64_t count, double deviation, Element element) {
    std::normal_distribution<double> normal(0.0, deviation);
    Values values(static_cast<size_t>(count));
    for (double& v : values) v = normal(random_);
    return Array(element, values, 0).read();
  }

  uint64_t seed_;
  std::mt19937_64 random_;
  ::testing::ScopedTrace trace_;
};

inline std::string name_of(const ::testing::TestParamInfo<Element>& info) { return info.param == Element::kF32 ? "F32" : "BF16"; }

}  // namespace grpo::kernels
