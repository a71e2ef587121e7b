#include "../decode_cuda.h"
#include "element.cuh"
#include "kv_cache.cuh"
#include "reduce.cuh"

namespace grpo::kernels {
namespace {

constexpr int kWarps = 4;

// The rotated value at dimension i of a head.
__device__ __forceinline__ float rotated(const float* head, int64_t i, const float* cos, const float* sin, int64_t pairs) {
  if (i < pairs) return head[i] * cos[i] - head[i + pairs] * sin[i];
  if (i < 2 * pairs) return head[i] * cos[i - pairs] + head[i - pairs] * sin[i - pairs];
  return head[i];
}

// A head of qkv plus its bias, normalised where `norm` is given, by one warp.
template <class T>
__device__ void read_head(const T* from, const T* bias, const T* norm, int64_t head_dim, float eps, float* head) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float squares = 0.0F;
  for (int64_t i = lane; i < head_dim; i += kWarp) {
    head[i] = to_float(from[i]) + (bias == nullptr ? 0.0F : to_float(bias[i]));
    squares += head[i] * head[i];
  }
  if (norm != nullptr) {
    const float factor = rsqrtf(warp_reduce(squares, Sum()) / static_cast<float>(head_dim) + eps);
    for (int64_t i = lane; i < head_dim; i += kWarp) head[i] *= factor * to_float(norm[i]);
  }
  __syncwarp();  // the rotation reads what other lanes wrote
}

// One warp a head: [q; k; v].
template <class T>
__global__ void rotate_store(RotateStore args, const StepRow* rows) {
  GRPO_DYNAMIC_SHARED(float, shared);
  const int64_t head_dim = args.cache.head_dim, kv_heads = args.cache.kv_heads, all_heads = args.heads + 2 * kv_heads;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t number = int64_t{blockIdx.y} * kWarps + warp;
  const StepRow row = rows[blockIdx.x];
  if (number >= all_heads || row.sequence < 0) return;
  const bool is_q = number < args.heads, is_v = number >= args.heads + kv_heads;
  float* head = shared + warp * head_dim;
  T* from = static_cast<T*>(args.qkv) + (blockIdx.x * all_heads + number) * head_dim;
  const T* bias = args.bias == nullptr ? nullptr : static_cast<const T*>(args.bias) + number * head_dim;
  read_head<T>(from, bias, static_cast<const T*>(is_v ? nullptr : is_q ? args.q_norm : args.k_norm), head_dim, args.eps, head);

  const int64_t pairs = is_v ? 0 : args.pairs;
  const float *cos = args.cos + row.position * pairs, *sin = args.sin + row.position * pairs;
  if (is_q) {
    for (int64_t i = lane; i < head_dim; i += kWarp) from[i] = from_float<T>(rotated(head, i, cos, sin, pairs));
    return;
  }
  const KvSequence sequence = args.cache.sequences[row.sequence];
  const int64_t kv_head = (number - args.heads) % kv_heads, stride = args.cache.stride;
  T* to = kv_row<T>(args.cache, sequence, is_v ? KvPart::kValues : KvPart::kKeys, kv_head, row.position - sequence.prefix_length);
  for (int64_t i = lane; i < stride; i += kWarp) to[i] = from_float<T>(i < head_dim ? rotated(head, i, cos, sin, pairs) : 0.0F);
}

}  // namespace

void rotate_store_cuda(const RotateStore& args, const StepRow* rows, int64_t n, Element element, CUstream_st* stream) {
  if (n == 0) return;
  const dim3 grid(static_cast<unsigned>(n), static_cast<unsigned>(div_up<int64_t>(args.heads + 2 * args.cache.kv_heads, kWarps)));
  const size_t shared_bytes = sizeof(float) * kWarps * static_cast<size_t>(args.cache.head_dim);
  for_element(element, [&](auto type) { launch(rotate_store<decltype(type)>, grid, kWarps * kWarp, shared_bytes, stream, args, rows); });
}

}  // namespace grpo::kernels
