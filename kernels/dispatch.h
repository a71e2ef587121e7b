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

/// The fastest one.
inline const CpuKernels& cpu_kernels() { return available_cpu_kernels().front(); }

}  // namespace grpo::kernels
