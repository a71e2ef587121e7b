#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {

extern const DecodeKernels kDecode;
const DecodeKernels kDecode = {
    .panel_columns = kTileColumns,
    .float32 = {1, FloatDot::kRows, 0, round_row_float32, decode_linear<FloatDot>, decode_linear_swiglu<FloatDot>},
    .bfloat16 = {2, Bfloat16Dot::kRows, 0, round_row_bfloat16, decode_linear<Bfloat16Dot>, decode_linear_swiglu<Bfloat16Dot>},
    .int8 = {4, Int8Dot::kRows, 0x80808080U, round_row_int8, decode_linear<Int8Dot>, decode_linear_swiglu<Int8Dot>},
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
