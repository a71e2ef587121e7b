#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {

extern const DecodeKernels kDecode;
const DecodeKernels kDecode = {
    .panel_columns = kTileColumns,
    .float32 = linear_kernels<FloatDot>(1, 0, round_row_float32),
    .bfloat16 = linear_kernels<Bfloat16Dot>(2, 0, round_row_bfloat16),
    .int8 = linear_kernels<Int8Dot>(4, 0x80808080U, round_row_int8),
    .key_block = kKeyBlock,
    .float32_cache = {sizeof(float), rotate_and_store<float>, decode_attention<FloatDot>},
    .bfloat16_cache = {sizeof(uint16_t), rotate_and_store<uint16_t>, decode_attention<WideningDot>},
    .value_columns = value_columns,
    .attention_scratch = attention_scratch,
    .rms_norm_row = rms_norm_row,
    .softmax_sums = softmax_sums,
    .inverse_cdf = inverse_cdf,
};

}  // namespace grpo::kernels::GRPO_ISA
