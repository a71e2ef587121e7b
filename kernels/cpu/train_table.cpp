#include "cpu/train_kernels.h"

namespace grpo::kernels::GRPO_ISA {

extern const TrainKernels kTrain;
const TrainKernels kTrain = {
    .product = matrix_product,
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .qk_norm_rope = qk_norm_rope,
    .qk_norm_rope_backward = qk_norm_rope_backward,
    .attention = attention,
    .attention_backward = attention_backward,
    .swiglu = swiglu,
    .swiglu_backward = swiglu_backward,
    .linear_logprob = linear_logprob,
    .linear_logprob_backward = linear_logprob_backward,
    .adamw = adamw,
    .sum_of_squares = sum_of_squares,
};

}  // namespace grpo::kernels::GRPO_ISA
