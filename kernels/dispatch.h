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

/// Those in use: the fastest, unless others were chosen.
const CpuKernels& cpu_kernels();
/// For tests of an instruction set: `kernels`, of available_cpu_kernels(), are in use until another choice; null = the fastest. What was
/// packed for others must not be used any more.
void use_cpu_kernels(const CpuKernels* kernels);

}  // namespace grpo::kernels
