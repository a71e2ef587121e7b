#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {

extern const DecodeKernels kDecode;
const DecodeKernels kDecode = {
    .panel_columns = kTileColumns,
    .value_columns = value_columns,
    .attention_scratch = attention_scratch,
    .linear = decode_linear,
    .linear_swiglu = decode_linear_swiglu,
    .rms_norm_row = rms_norm_row,
    .rotate_and_store = rotate_and_store,
    .attention = decode_attention,
    .softmax_sums = softmax_sums,
    .inverse_cdf = inverse_cdf,
};

}  // namespace grpo::kernels::GRPO_ISA
