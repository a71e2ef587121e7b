#pragma once

#include <string_view>
#include <vector>

// One table of CPU kernels per instruction set, chosen once at run time.
namespace grpo::kernels {

struct TrainKernels;
struct DecodeKernels;

struct CpuKernels {
  std::string_view isa;  // "avx512bf16" (with VNNI), "avx512vnni", "avx512", "avx2", "scalar"
  const TrainKernels* train;
  const DecodeKernels* decode;
};

/// Every table that this machine can run, the fastest first. Never empty: "scalar" is the portable reference.
const std::vector<CpuKernels>& available_cpu_kernels();

/// The one that training and sampling use: the fastest one, or what a UseCpuKernels says.
const CpuKernels& cpu_kernels();

/// While one lives, training and the engines made meanwhile use this table: tests run whole models on every instruction set. It is made
/// and destroyed while nothing computes.
class UseCpuKernels {
 public:
  explicit UseCpuKernels(const CpuKernels& kernels);
  ~UseCpuKernels();
  UseCpuKernels(const UseCpuKernels&) = delete;
  UseCpuKernels& operator=(const UseCpuKernels&) = delete;

 private:
  const CpuKernels* before_;
};

}  // namespace grpo::kernels
