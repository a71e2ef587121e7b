#include "dispatch.h"

#include "word_kernels.h"

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
namespace avx512bf16 {
extern const WordKernels kWords;
}

namespace {

struct Tables {
  TrainKernels train = avx512::kTrain;
  DecodeKernels decode = avx512::kDecode;
};

const Tables& with_words() {
  static const Tables tables = [] {
    Tables mixed;
    mixed.train.product = avx512bf16::kWords.product;
    mixed.train.linear_logprob = avx512bf16::kWords.linear_logprob;
    mixed.train.linear_logprob_backward = avx512bf16::kWords.linear_logprob_backward;
    mixed.decode.bfloat16 = avx512bf16::kWords.bfloat16;
    mixed.decode.int8 = avx512bf16::kWords.int8;
    return mixed;
  }();
  return tables;
}

// Intel's cores do half as many multiply-adds by vdpbf16ps as on halves widened to float32: they take int8 alone.
const Tables& with_int8() {
  static const Tables tables = [] {
    Tables mixed;
    mixed.decode.int8 = avx512bf16::kWords.int8;
    return mixed;
  }();
  return tables;
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
        if (__builtin_cpu_is("intel")) found.push_back({"avx512vnni", &with_int8().train, &with_int8().decode});
        found.push_back({"avx512bf16", &with_words().train, &with_words().decode});
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

namespace {
const CpuKernels* chosen_kernels = nullptr;
}

const CpuKernels& cpu_kernels() { return chosen_kernels != nullptr ? *chosen_kernels : available_cpu_kernels().front(); }
void use_cpu_kernels(const CpuKernels* kernels) { chosen_kernels = kernels; }

}  // namespace grpo::kernels
