#include "word_kernels.h"

#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {

extern const WordKernels kWords;
const WordKernels kWords = {
    .bfloat16 = linear_kernels<Bfloat16Dot>(2, 0, round_row_bfloat16),
    .int8 = linear_kernels<Int8Dot>(4, 0x80808080U, round_row_int8),
    .product = matrix_product,
    .linear_logprob = linear_logprob,
    .linear_logprob_backward = linear_logprob_backward,
};

}  // namespace grpo::kernels::GRPO_ISA
