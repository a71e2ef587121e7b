#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {

SoftmaxSums softmax_sums(const float* logits, int64_t count, float inverse_temperature, float* block_sums) {
  SoftmaxSums result{row_max(logits, count), 0.0};
  float powers[kSoftmaxBlock];
  for (int64_t begin = 0, block = 0; begin < count; begin += kSoftmaxBlock, ++block) {
    const int64_t n = count - begin < kSoftmaxBlock ? count - begin : kSoftmaxBlock;
    block_sums[block] = exp_and_sum(logits + begin, powers, n, result.max, inverse_temperature);
    result.sum += block_sums[block];
  }
  return result;
}

int64_t inverse_cdf(const float* logits, int64_t count, float inverse_temperature, const SoftmaxSums& sums, const float* block_sums,
                    float uniform) {
  const double target = uniform * sums.sum;
  double below = 0.0;
  int64_t begin = 0, last_possible = 0;
  for (int64_t block = 0; begin + kSoftmaxBlock < count && below + block_sums[block] <= target; ++block, begin += kSoftmaxBlock) {
    below += block_sums[block];
  }
  // Within the block the sum runs in another order than the block's own: rounding may leave the target just behind its end.
  const int64_t end = count - begin < kSoftmaxBlock ? count : begin + kSoftmaxBlock;
  float powers[kSoftmaxBlock];
  exp_and_sum(logits + begin, powers, end - begin, sums.max, inverse_temperature);
  for (int64_t i = begin; i < end; ++i) {
    const float power = powers[i - begin];
    if (power == 0.0F) continue;
    last_possible = i;
    below += power;
    if (below > target) return i;
  }
  return last_possible;
}

}  // namespace grpo::kernels::GRPO_ISA
