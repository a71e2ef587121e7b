#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/decode_kernels.h"

// Exact attention in query tiles. Scores of a tile against all visible keys fit the cache, so softmax needs no running rescale. Every sum
// of the forward runs in the order of decode_attention, so that sampler and trainer agree to the last bit.
namespace grpo::kernels::GRPO_ISA {
namespace {

constexpr int64_t kTile = 32;  // query rows computed together

/// Where one segment's rows stand relative to its keys: keys 0 … prefix-1 are the prefix, the rest the segment itself.
struct Keys {
  int64_t prefix, own;  // counts
  int64_t prefix_begin, begin;
  int64_t total() const { return prefix + own; }
  int64_t row(int64_t key) const { return key < prefix ? prefix_begin + key : begin + key - prefix; }
};

Keys keys_of(const AttentionSegment& s) { return {s.prefix_end - s.prefix_begin, s.end - s.begin, s.prefix_begin, s.begin}; }

struct Scratch {
  std::vector<float> keys_t, values_t;  // [d, keys]
  std::vector<float> scores, grads;     // [kTile, keys and a vector more]
  std::vector<float> queries;           // [kTile, d], scaled
};

/// Key head `head_offset` of all rows, transposed to [d, keys].
void transpose_heads(const float* qkv, int64_t head_offset, const Keys& keys, const AttentionShape& shape, std::vector<float>& out) {
  const int64_t total = keys.total();
  out.resize(static_cast<size_t>(shape.head_dim * total));
  for (int64_t key = 0; key < total; ++key) {
    const float* source = qkv + keys.row(key) * shape.row_stride() + head_offset;
    for (int64_t j = 0; j < shape.head_dim; ++j) out[static_cast<size_t>(j * total + key)] = source[j];
  }
}

/// C [rows, d] (+)= A [rows, keys] · X where X's rows are a head's key or value rows: prefix first, then the segment's own.
void times_heads(const float* a, int64_t lda, const float* qkv, int64_t head_offset, const Keys& keys, int64_t visible,
                 const AttentionShape& shape, float* c, int64_t ldc, int64_t rows) {
  const int64_t ld = shape.row_stride();
  bool accumulate = false;
  if (keys.prefix > 0) {
    gemm({a, lda, 1}, qkv + keys.prefix_begin * ld + head_offset, ld, c, ldc, rows, shape.head_dim, keys.prefix, false);
    accumulate = true;
  }
  gemm({a + keys.prefix, lda, 1}, qkv + keys.begin * ld + head_offset, ld, c, ldc, rows, shape.head_dim, visible - keys.prefix, accumulate);
}

/// dX rows += A^T [keys, rows] · B [rows, d], the adjoint of times_heads.
void add_to_heads(const float* a, int64_t lda, const float* b, int64_t ldb, float* dqkv, int64_t head_offset, const Keys& keys,
                  int64_t visible, const AttentionShape& shape, int64_t rows) {
  const int64_t ld = shape.row_stride();
  if (keys.prefix > 0) {
    gemm({a, 1, lda}, b, ldb, dqkv + keys.prefix_begin * ld + head_offset, ld, keys.prefix, shape.head_dim, rows, true);
  }
  gemm({a + keys.prefix, 1, lda}, b, ldb, dqkv + keys.begin * ld + head_offset, ld, visible - keys.prefix, shape.head_dim, rows, true);
}

/// Row r of x [rows, d] times factors[r].
void scale_rows(float* x, int64_t ld, int64_t rows, int64_t d, const float* factors) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < d; ++j) x[r * ld + j] *= factors[r];
  }
}

/// The first key that query `i` of the segment sees, and one past the last.
int64_t first_key(const Keys& keys, int64_t i, const AttentionShape& shape) {
  return shape.window > 0 ? std::max<int64_t>(0, keys.prefix + i + 1 - shape.window) : 0;
}
int64_t end_key(const Keys& keys, int64_t i) { return keys.prefix + i + 1; }

/// Query rows of a head times the scale of the scores.
const float* scaled_queries(const float* queries, int64_t ld, int64_t rows, const AttentionShape& shape, std::vector<float>& out) {
  out.resize(static_cast<size_t>(kTile * shape.head_dim));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < shape.head_dim; ++j) out[static_cast<size_t>(r * shape.head_dim + j)] = queries[r * ld + j] * shape.scale;
  }
  return out.data();
}

/// Scores become exp(score - maximum), 0 where the query does not see; gives the inverse of their sum.
float soften(float* scores, int64_t low, int64_t high, int64_t visible, float* lse) {
  const int64_t padded = round_up(high - low, kLanes);
  std::fill(scores + high, scores + low + padded, -std::numeric_limits<float>::infinity());
  const float max = row_max(scores + low, padded), sum = exp_and_sum(scores + low, scores + low, padded, max, 1.0F);
  std::fill(scores, scores + low, 0.0F);
  if (visible > high) std::fill(scores + high, scores + visible, 0.0F);
  *lse = max + std::log(sum);
  return 1.0F / sum;
}

void segment_forward(const float* qkv, float* out, float* lse, const AttentionSegment& segment, int64_t kv_head,
                     const AttentionShape& shape, Scratch& scratch) {
  const Keys keys = keys_of(segment);
  const int64_t d = shape.head_dim, group = shape.heads / shape.kv_heads, total = keys.total(), ld = shape.row_stride();
  const int64_t key_offset = (shape.heads + kv_head) * d, value_offset = key_offset + shape.kv_heads * d;
  transpose_heads(qkv, key_offset, keys, shape, scratch.keys_t);
  const int64_t stride = total + kLanes;
  scratch.scores.resize(static_cast<size_t>(kTile * stride));
  float* scores = scratch.scores.data();
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int64_t begin = 0; begin < keys.own; begin += kTile) {
      const int64_t rows = std::min(kTile, keys.own - begin), visible = end_key(keys, begin + rows - 1), row = segment.begin + begin;
      const float* queries = scaled_queries(qkv + row * ld + head * d, ld, rows, shape, scratch.queries);
      gemm({queries, d, 1}, scratch.keys_t.data(), total, scores, stride, rows, visible, d, false);
      float inverse[kTile];
      for (int64_t r = 0; r < rows; ++r) {
        inverse[r] = soften(scores + r * stride, first_key(keys, begin + r, shape), end_key(keys, begin + r), visible,
                            lse + (row + r) * shape.heads + head);
      }
      float* to = out + (row * shape.heads + head) * d;
      times_heads(scores, stride, qkv, value_offset, keys, visible, shape, to, shape.heads * d, rows);
      scale_rows(to, shape.heads * d, rows, d, inverse);
    }
  }
}

/// Scores become probabilities (from the kept log-sum-exp), `grads` (dP on entry) becomes the gradient of the scores; both 0 where the
/// query does not see.
void soften_backward(float* scores, float* grads, int64_t low, int64_t high, int64_t visible, float lse, float delta) {
  int64_t j = low;
  for (; j + kLanes <= high; j += kLanes) {
    const Vector p = exp_lanes(load(scores + j) - lse);
    store(scores + j, p);
    store(grads + j, p * (load(grads + j) - delta));
  }
  for (; j < high; ++j) {
    scores[j] = exp_approx(scores[j] - lse);
    grads[j] = scores[j] * (grads[j] - delta);
  }
  for (float* row : {scores, grads}) {
    std::fill(row, row + low, 0.0F);
    std::fill(row + high, row + visible, 0.0F);
  }
}

void segment_backward(const float* dout, const float* qkv, const float* out, const float* lse, float* dqkv, const AttentionSegment& segment,
                      int64_t kv_head, const AttentionShape& shape, Scratch& scratch) {
  const Keys keys = keys_of(segment);
  const int64_t d = shape.head_dim, group = shape.heads / shape.kv_heads, total = keys.total(), ld = shape.row_stride(),
                out_stride = shape.heads * d;
  const int64_t key_offset = (shape.heads + kv_head) * d, value_offset = key_offset + shape.kv_heads * d;
  transpose_heads(qkv, key_offset, keys, shape, scratch.keys_t);
  transpose_heads(qkv, value_offset, keys, shape, scratch.values_t);
  scratch.scores.resize(static_cast<size_t>(kTile * total));
  scratch.grads.resize(static_cast<size_t>(kTile * total));
  float* scores = scratch.scores.data();
  float* grads = scratch.grads.data();
  float scales[kTile];
  std::fill(scales, scales + kTile, shape.scale);
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (int64_t begin = 0; begin < keys.own; begin += kTile) {
      const int64_t rows = std::min(kTile, keys.own - begin), visible = end_key(keys, begin + rows - 1), row = segment.begin + begin;
      const float* queries = scaled_queries(qkv + row * ld + head * d, ld, rows, shape, scratch.queries);
      const float* grad_out = dout + row * out_stride + head * d;
      gemm({queries, d, 1}, scratch.keys_t.data(), total, scores, total, rows, visible, d, false);
      gemm({grad_out, out_stride, 1}, scratch.values_t.data(), total, grads, total, rows, visible, d, false);
      for (int64_t r = 0; r < rows; ++r) {
        const float delta = dot(out + (row + r) * out_stride + head * d, grad_out + r * out_stride, d);
        soften_backward(scores + r * total, grads + r * total, first_key(keys, begin + r, shape), end_key(keys, begin + r), visible,
                        lse[(row + r) * shape.heads + head], delta);
      }
      add_to_heads(scores, total, grad_out, out_stride, dqkv, value_offset, keys, visible, shape, rows);
      add_to_heads(grads, total, queries, d, dqkv, key_offset, keys, visible, shape, rows);
      float* to = dqkv + row * ld + head * d;
      times_heads(grads, total, qkv, key_offset, keys, visible, shape, to, ld, rows);
      scale_rows(to, ld, rows, d, scales);
    }
  }
}

/// Runs of segments that share key rows (a prompt and its completions): each is one unit of parallel work, since gradients of the shared
/// rows are summed within it.
std::vector<std::pair<int64_t, int64_t>> families(const AttentionSegment* segments, int64_t count) {
  std::vector<std::pair<int64_t, int64_t>> found;
  for (int64_t i = 0; i < count; ++i) {
    const bool joins =
        i > 0 && segments[i].prefix_end > segments[i].prefix_begin && segments[i].prefix_begin >= segments[found.back().first].begin;
    if (joins) {
      found.back().second = i + 1;
    } else {
      found.emplace_back(i, i + 1);
    }
  }
  return found;
}

template <class Work>
void for_each_family(const AttentionSegment* segments, int64_t count, const AttentionShape& shape, const Work& work) {
  const auto groups = families(segments, count);
  const int64_t tasks = static_cast<int64_t>(groups.size()) * shape.kv_heads;
#pragma omp parallel
  {
    Scratch scratch;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; ++task) {
      const auto& [begin, end] = groups[static_cast<size_t>(task / shape.kv_heads)];
      for (int64_t s = begin; s < end; ++s) work(segments[s], task % shape.kv_heads, scratch);
    }
  }
}

}  // namespace

void attention(const float* qkv, float* out, float* lse, const AttentionSegment* segments, int64_t num_segments,
               const AttentionShape& shape) {
  for_each_family(segments, num_segments, shape, [&](const AttentionSegment& segment, int64_t kv_head, Scratch& scratch) {
    segment_forward(qkv, out, lse, segment, kv_head, shape, scratch);
  });
}

void attention_backward(const float* dout, const float* qkv, const float* out, const float* lse, float* dqkv,
                        const AttentionSegment* segments, int64_t num_segments, const AttentionShape& shape) {
  for_each_family(segments, num_segments, shape, [&](const AttentionSegment& segment, int64_t kv_head, Scratch& scratch) {
    segment_backward(dout, qkv, out, lse, dqkv, segment, kv_head, shape, scratch);
  });
}

}  // namespace grpo::kernels::GRPO_ISA
