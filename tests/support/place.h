#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

// Where tests of the training path run: one source, and a program each for the CPU and for CUDA. place_cpu.cpp, cuda_on_host.cpp (whose
// kernels run on the CPU, in whose memory "the GPU's" tensors lie) and cuda_on_gpu.cpp define these functions; a program links one of them.
namespace grpo::testing {

struct Place {
  std::string name;  // "Cpu", "Cuda", "CudaBf16"
  at::Device device;
  at::ScalarType dtype;  // of weights and activations
  bool on_cuda;
  /// Multiplies tolerances that are meant for float32.
  double slack() const { return dtype == at::kFloat ? 1.0 : 1000.0; }
  friend std::ostream& operator<<(std::ostream& out, const Place& place) { return out << place.name; }
};

/// Those of this program, float32 first.
std::vector<Place> places();
inline std::vector<Place> float_places() { return {places().front()}; }
inline std::vector<Place> rounded_places() {
  auto all = places();
  all.erase(all.begin());
  return all;
}

/// While one lives, tensors on the place's device are computed on by its back end.
class At {
 public:
  explicit At(const Place& place);
  ~At();
  At(const At&) = delete;
};

/// The order in which a kernel's threads and blocks run, where tests can choose it: 0 ascending, 1 descending, others shuffled.
void set_order(uint64_t seed);
/// Whether bf16 attention may use flash attention (or its twin), where tests can choose it.
void allow_flash(bool allowed);

inline std::string place_name(const ::testing::TestParamInfo<Place>& info) { return info.param.name; }

}  // namespace grpo::testing
