#include "dispatch.h"

#include "decode.h"

namespace grpo::kernels {

#define GRPO_DECLARE_TABLES(isa)      \
  namespace isa {                     \
  extern const TrainKernels kTrain;   \
  extern const DecodeKernels kDecode; \
  }
GRPO_DECLARE_TABLES(scalar)
#ifdef GRPO_HAVE_avx2
GRPO_DECLARE_TABLES(avx2)
#endif
#ifdef GRPO_HAVE_avx512
GRPO_DECLARE_TABLES(avx512)
#endif
#ifdef GRPO_HAVE_avx512bf16
GRPO_DECLARE_TABLES(avx512bf16)
#endif

#ifdef GRPO_HAVE_avx512bf16
namespace {

// Intel's cores do half as many multiply-adds by vdpbf16ps as on halves widened to float32: of the table that uses it they take int8 alone.
const DecodeKernels& widening_decode() {
  static const DecodeKernels table = [] {
    DecodeKernels mixed = avx512::kDecode;
    mixed.int8 = avx512bf16::kDecode.int8;
    return mixed;
  }();
  return table;
}

}  // namespace
#endif

const std::vector<CpuKernels>& available_cpu_kernels() {
  static const std::vector<CpuKernels> tables = [] {
    std::vector<CpuKernels> found;
#ifdef GRPO_HAVE_avx512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd")) {
#ifdef GRPO_HAVE_avx512bf16
      if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni")) {
        if (__builtin_cpu_is("intel")) found.push_back({"avx512vnni", &avx512::kTrain, &widening_decode()});
        found.push_back({"avx512bf16", &avx512bf16::kTrain, &avx512bf16::kDecode});
      }
#endif
      found.push_back({"avx512", &avx512::kTrain, &avx512::kDecode});
    }
#endif
#ifdef GRPO_HAVE_avx2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
      found.push_back({"avx2", &avx2::kTrain, &avx2::kDecode});
    }
#endif
    found.push_back({"scalar", &scalar::kTrain, &scalar::kDecode});
    return found;
  }();
  return tables;
}

}  // namespace grpo::kernels
