#pragma once

#include <cstdint>

#include "device.h"
#include "kv_page.h"

// Launchers of the CUDA decode engine: one step of continuous batching over rows that live on the device. All pointers are the device's.
// Activations and cached keys and values are of one element type, the residual stream and the logits fp32, sums fp32 or better. A row's
// results do not depend on the other rows. C++17.
namespace grpo::kernels {

using device::Element;

/// A token at its place. A row of sequence -1 is idle: nothing of it is read or written.
struct StepRow {
  int32_t token = 0, sequence = -1, position = 0;
};

/// Where a sequence's keys and values lie: its entry i in page pages[first_page + i / kKvPage] of the pool. Its positions go on after the
/// `prefix_length` ones of another sequence.
struct KvSequence {
  int32_t first_page = 0;
  int32_t prefix = -1, prefix_length = 0;
};

/// Elements from one cached head to the next: whole tensor-core tiles, zero beyond head_dim.
constexpr int64_t kv_stride(int64_t head_dim) { return (head_dim + 15) / 16 * 16; }
/// Elements of a page: for each layer keys, then values, each [kv_heads, kKvPage, stride].
constexpr int64_t kv_page_elements(int64_t layers, int64_t kv_heads, int64_t head_dim) {
  return layers * 2 * kv_heads * kKvPage * kv_stride(head_dim);
}

struct KvCache {
  void* pool = nullptr;
  const int32_t* pages = nullptr;
  const KvSequence* sequences = nullptr;
  int64_t page_elements = 0;  // kv_page_elements of the model
  int64_t layer = 0;
  int64_t kv_heads = 0, head_dim = 0;
  int64_t stride = 0;  // kv_stride(head_dim)
};

/// out [n, hidden] = table[token], in fp32.
void embed_cuda(const StepRow* rows, int64_t n, const void* table, Element element, int64_t hidden, float* out, CUstream_st* stream);

/// hidden += delta + bias, then out = hidden * rsqrt(mean(hidden^2) + eps) * weight.
struct AddNorm {
  float* hidden = nullptr;       // [n, dim]
  const void* delta = nullptr;   // [n, dim] or null: nothing is added
  const void* bias = nullptr;    // [dim] or null
  const void* weight = nullptr;  // [dim]
  void* out = nullptr;           // [n, dim]
  int64_t dim = 0;
  float eps = 0.0F;
};
void add_norm_cuda(const AddNorm& args, int64_t n, Element element, CUstream_st* stream);

/// For every row's [q; k; v]: plus bias; per q and k head RMSNorm where a weight is given, then the rotation; q in place, k and v into the
/// cache at the row's position.
struct RotateStore {
  void* qkv = nullptr;           // [n, (heads + 2 kv_heads) head_dim]
  const void* bias = nullptr;    // as a row of qkv, or null
  const void* q_norm = nullptr;  // [head_dim] or null
  const void* k_norm = nullptr;
  const float *cos = nullptr, *sin = nullptr;  // [positions, pairs]
  int64_t pairs = 0;                           // rotated pairs (i, i + pairs); dimensions from 2 pairs on stay; 0 = no rotation
  int64_t heads = 0;
  float eps = 0.0F;
  KvCache cache;
};
void rotate_store_cuda(const RotateStore& args, const StepRow* rows, int64_t n, Element element, CUstream_st* stream);

inline constexpr int kTaskRows = 8;
inline constexpr int64_t kMaxGroup = 8;  // query heads of one kv head

/// Rows that attend to the same cache: their own sequence's (one sequence), or their sequences' common prefix.
struct AttentionTask {
  int32_t rows[kTaskRows] = {};
  int32_t count = 0;  // 0 = nothing to do
  int32_t of_prefix = 0;
};

/// Entries of a piece where the longest sequence has so many: enough for its sums to be worth merging, and at most 16 pieces.
constexpr int64_t attention_piece(int64_t longest) {
  const int64_t sixteenth = (longest + 15) / 16, pages = (sixteenth + kKvPage - 1) / kKvPage;
  return pages < 4 ? 4 * kKvPage : pages * kKvPage;
}

/// Attention of rows over their sequence's prefix and their own positions, in pieces that are merged by log-sum-exp.
struct Attention {
  const void* qkv = nullptr;  // [n, (heads + 2 kv_heads) head_dim], after rotate_store
  void* out = nullptr;        // [n, heads, head_dim]
  // Two lists: tasks of one row each, and tasks of up to kTaskRows. A row is in one task for its own positions, and in one for its prefix
  // where it has any.
  const AttentionTask *singles = nullptr, *shared = nullptr;
  int64_t single_count = 0, shared_count = 0;
  int64_t heads = 0;
  int64_t window = 0;  // positions that a row sees, its own included; 0 = all
  float scale = 1.0F;  // of the scores
  int64_t piece = 0;   // entries of a piece: a multiple of kKvPage
  int64_t prefix_pieces = 0, own_pieces = 0;
  float* partial = nullptr;  // [n, heads, prefix_pieces + own_pieces, stride + 2]: weighted sums, then maximum and sum
  KvCache cache;
};
void attention_cuda(const Attention& args, const StepRow* rows, int64_t n, Element element, CUstream_st* stream);

/// out [n, inner] = silu(gate + bias) * (up + bias); gate_up [n, 2 inner], bias [2 inner] or null.
void swiglu_cuda(const void* gate_up, const void* bias, void* out, int64_t n, int64_t inner, Element element, CUstream_st* stream);

}  // namespace grpo::kernels
