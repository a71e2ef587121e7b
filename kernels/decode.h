#pragma once

#include <cstdint>

// Kernels of the decode engine on the CPU. Each call is one slice of work for one thread: the caller splits outputs over threads and
// never a reduction, and every output is reduced in an order of its own (over the depth, or over the row's positions). So results depend
// neither on the batch nor on the thread count. They differ between instruction sets by rounding.
namespace grpo::kernels {

/// `panel_columns` outputs of a linear layer, transposed: column j is output feature panel_columns * p + j of panel p. Its weights are
/// 32-bit words of `LinearKernels::per_word` consecutive inputs.
struct LinearPanel {
  const uint32_t* weight;  // [words, panel_columns], row major; columns beyond the layer's outputs and inputs beyond its depth are zero
  const float* scale;      // [panel_columns], of each output's weights; int8 only, else null
  const float* bias;       // [panel_columns] or null
  int64_t words;           // ceil(depth / per_word)
  const uint32_t* next;    // as many words that are read after these, to be fetched into the cache on the way, or null
};

/// Rows of activations: element (r, i) is data[r * stride + i].
struct RowBlock {
  float* data;
  int64_t stride;
};

/// How a row was rounded to int8: x = scale * q. `offset` = 128 times the sum of q.
struct RowScale {
  float scale;
  int32_t offset;
};

/// Rows of a linear layer's input as its LinearKernels read them: rounded word w of row r is the `input_words` words from
/// words[r * stride + input_words * w] on.
struct InputRows {
  const uint32_t* words;
  int64_t stride;          // a multiple of input_words
  const RowScale* scales;  // [rows]; int8 only, else null
};

/// Linear layers that multiply one type of number and sum in fp32 (int8: exactly, in int32, then scaled).
struct LinearKernels {
  int64_t per_word;      // numbers in a word, the first in the lowest bits
  int64_t input_words;   // of InputRows for each word: 2 where the instruction set multiplies words in two halves
  int64_t tile_rows;     // rows that are multiplied together: shares of this many leave none over
  uint32_t weight_flip;  // weights are stored as round_row's words, exclusive or this (int8: as bytes with zero point 128)

  /// x [dim] in words, the last one filled up with zeros: fp32 as it is, bf16 to nearest even, int8 to nearest within [-127, 127] with
  /// the row's largest magnitude at 127. A row with NaN or infinity keeps them, or (int8) gets a scale of NaN. Rows whose magnitudes
  /// are all below 1e-30 are 0 in int8. `scale` is written by int8 alone.
  void (*round_row)(const float* x, int64_t dim, uint32_t* words, RowScale* scale);
  /// Rounded words [count] to InputRows' [count * input_words], in place.
  void (*expand_row)(uint32_t* words, int64_t count);
  /// y [rows, panel_columns] = x · weight + bias, added to y where `accumulate`: chains of fp32 multiply-adds begin
  /// with y, int8 sums are added to it. Depth ascends; of int8 at most 66,000.
  void (*linear)(const LinearPanel& panel, InputRows x, RowBlock y, int64_t rows, bool accumulate);
  /// y [rows, panel_columns / 2] = silu(gate) * up, for a panel whose first half of columns is gate and whose second half is up.
  void (*linear_swiglu)(const LinearPanel& panel, InputRows x, RowBlock y, int64_t rows);
};

/// One token's [q; k; v] row on its way into the cache.
struct QkvRow {
  float* qkv;           // [(heads + 2 kv_heads) head_dim]; the q part is overwritten, ready for attention
  const float* q_norm;  // [head_dim] or null
  const float* k_norm;  // [head_dim] or null
  const float* cos;     // [pairs], of the token's position
  const float* sin;     // [pairs]
  int64_t heads, kv_heads, head_dim;
  int64_t pairs;  // rotated pairs (i, i + pairs); dimensions from 2 pairs on stay
  float eps;      // of the norms
  float scale;    // of the scores: q is multiplied by it
  // The cache of kv head 0; those of the following heads lie `key_stride` and `value_stride` elements apart.
  void *keys, *values;
  int64_t key_stride, value_stride;
  int64_t entry;  // where in the cache
};

/// Consecutive entries [begin, end) of one kv head's cache. Keys: entry i is column i % key_block of block i / key_block, a block being
/// [head_dim, key_block]. Values: entry i is row i of [entries, value_columns(head_dim)].
struct CacheRun {
  const void *keys, *values;
  int64_t begin, end;
};

/// Attention of one token's query heads that share one kv head.
struct AttentionTask {
  const float* q;  // [group, head_dim], rotated and scaled
  float* out;      // [group, head_dim]
  int64_t group;   // query heads, any number
  int64_t head_dim;
  const CacheRun* runs;  // [run_count] in the order of positions, at least one and none of them empty; all but the first begin at entry 0
  int64_t run_count;
  float* scratch;  // attention_scratch(group, head_dim, entries) floats
};

/// A cache of keys and values in one type. All arithmetic is fp32.
struct CacheKernels {
  int64_t element_bytes;
  /// Per q and k head: RMSNorm where the norm is given, then the rotation (rotate-half); q scaled in place, k and v into the cache,
  /// rounded to nearest even.
  void (*rotate_and_store)(const QkvRow& row);
  /// out = softmax(q K^T) V over the runs' entries in order. The order of every sum depends on the entries' number alone, not on which of
  /// them lie in which run.
  void (*attention)(const AttentionTask& task);
};

/// Of softmax(x * inverse_temperature) over a row.
struct SoftmaxSums {
  float max;   // of x
  double sum;  // of exp((x - max) * inverse_temperature); NaN where x is not finite (-infinity stands for probability 0)
};

/// Logits are summed in blocks of this many columns.
inline constexpr int64_t kSoftmaxBlock = 512;

struct DecodeKernels {
  int64_t panel_columns;
  LinearKernels float32, bfloat16, int8;

  int64_t key_block;  // entries; caches hold a multiple of it
  CacheKernels float32_cache, bfloat16_cache;
  /// Elements per cached value: head_dim rounded up to whole vectors.
  int64_t (*value_columns)(int64_t head_dim);
  int64_t (*attention_scratch)(int64_t group, int64_t head_dim, int64_t entries);

  /// y = x * rsqrt(mean(x^2) + eps) * weight; x and y [dim].
  void (*rms_norm_row)(const float* x, const float* weight, float eps, float* y, int64_t dim);

  /// One pass for the maximum, one for the sum. `count` is a multiple of panel_columns; block_sums [ceil(count / kSoftmaxBlock)] is
  /// written.
  SoftmaxSums (*softmax_sums)(const float* logits, int64_t count, float inverse_temperature, float* block_sums);
  /// The smallest column whose cumulative sum exceeds uniform * sum, over what softmax_sums has found. Never a column of probability 0.
  int64_t (*inverse_cdf)(const float* logits, int64_t count, float inverse_temperature, const SoftmaxSums& sums, const float* block_sums,
                         float uniform);
};

}  // namespace grpo::kernels
