#pragma once

#include "decode.h"
#include "train.h"

namespace grpo::kernels {

/// The kernels that instructions for words of bf16 or int8 (AVX512-BF16, VNNI) make faster; an instruction set that adds those alone shares
/// the others with the one below it.
struct WordKernels {
  LinearKernels bfloat16, int8;
  decltype(TrainKernels::product) product;
  decltype(TrainKernels::linear_logprob) linear_logprob;
  decltype(TrainKernels::linear_logprob_backward) linear_logprob_backward;
};

}  // namespace grpo::kernels
