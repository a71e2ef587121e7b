#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "cpu/decode_kernels.h"

// Exact attention in query tiles. Scores of a tile against all visible keys fit the cache, so softmax needs no running rescale. Every sum
// of the forward runs in the order of decode_attention, so that sampler and trainer agree to the last bit.
namespace grpo::kernels::GRPO_ISA {
namespace {

constexpr int64_t kTile = int64_t{6} * kTileRows;  // query rows computed together

/// Where one segment's rows stand relative to its keys: keys 0 … prefix-1 are the prefix, the rest the segment itself.
struct Keys {
  int64_t prefix, own;  // counts
  int64_t prefix_begin, begin;
  int64_t total() const { return prefix + own; }
};

Keys keys_of(const AttentionSegment& s) { return {s.prefix_end - s.prefix_begin, s.end - s.begin, s.prefix_begin, s.begin}; }

/// At least `size` numbers; new ones are 0.
void grow(std::vector<float>& numbers, int64_t size) {
  if (numbers.size() < static_cast<size_t>(size)) numbers.resize(static_cast<size_t>(size));
}

/// Keys or values of one head, side by side: as rows [keys, dim], and across in panels [dim, kTileColumns].
struct HeadRows {
  std::vector<float> rows, panels;
};

struct AttentionScratch {
  HeadRows keys, values;
  std::vector<float> dkeys, dvalues;  // [keys, dim]
  std::vector<float> scores, grads;   // [kTile, stride]
  std::vector<float> queries;         // [kTile, dim], scaled
  int64_t prefix_begin, prefix_end;   // which rows the first keys are
  int64_t stride;                     // of scores: whole vectors may begin at any key
};

/// Asks for the row of a head that is read or added to soon: rows lie too far apart for the processor to see them coming.
void ask_ahead(const float* row, int64_t ld, int64_t dim) {
  constexpr int64_t kAhead = 8, kLine = 64 / sizeof(float);
  for (int64_t j = 0; j < dim; j += kLine) __builtin_prefetch(row + kAhead * ld + j);
}

/// y[i] = factor * x[i] for rows of a head, `ldx` and `ldy` apart; y may be x.
void scale_head(const float* x, int64_t ldx, float* y, int64_t ldy, int64_t rows, int64_t dim, float factor) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    ask_ahead(x, ldx, dim);
    int64_t j = 0;
    for (; j + kLanes <= dim; j += kLanes) store(y + j, load(x + j) * factor);
    for (; j < dim; ++j) y[j] = x[j] * factor;
  }
}

/// Panels of the keys from `first` on follow their rows. What lies beyond the last key is any number.
void fill_panels(int64_t first, int64_t end, int64_t dim, HeadRows& head) {
  for (int64_t key = first / kLanes * kLanes; key < end; key += kLanes) {
    const float* from = head.rows.data() + key * dim;
    float* to = head.panels.data() + key / kTileColumns * kTileColumns * dim + key % kTileColumns;
    int64_t j = 0;
    for (; j + kLanes <= dim; j += kLanes) {
      Vector block[kLanes];
      for (int i = 0; i < kLanes; ++i) block[i] = load(from + i * dim + j);
      transpose(block);
      for (int i = 0; i < kLanes; ++i) store(to + (j + i) * kTileColumns, block[i]);
    }
    for (; j < dim; ++j) {
      for (int i = 0; i < kLanes; ++i) to[j * kTileColumns + i] = from[i * dim + j];
    }
  }
}

/// C [rows, columns] = A [rows, dim] · the panels' first columns, in whole vectors.
void times_panels(Strided a, const float* panels, int64_t dim, int64_t columns, float* c, int64_t ldc, int64_t rows) {
  for (int64_t j = 0; j < columns; j += kTileColumns, panels += dim * kTileColumns) {
    gemm(a, panels, kTileColumns, c + j, ldc, rows, std::min(kTileColumns, round_up(columns - j, kLanes)), dim, false);
  }
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
  grow(out, kTile * shape.head_dim);
  scale_head(queries, ld, out.data(), shape.head_dim, rows, shape.head_dim, shape.scale);
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

/// What of a packed batch one unit of work is about.
struct Head {
  const float* qkv;
  const AttentionShape& shape;
  int64_t kv_head;

  int64_t group() const { return shape.heads / shape.kv_heads; }
  int64_t key_offset() const { return (shape.heads + kv_head) * shape.head_dim; }
  int64_t value_offset() const { return key_offset() + shape.kv_heads * shape.head_dim; }
};

bool holds_prefix(const AttentionScratch& scratch, const AttentionSegment& segment) {
  return scratch.prefix_begin == segment.prefix_begin && scratch.prefix_end == segment.prefix_end;
}

/// Keys and values of a segment; those of its prefix are there already where the segment before had the same.
void load_keys(const Head& head, const AttentionSegment& segment, bool value_panels, AttentionScratch& scratch) {
  const Keys keys = keys_of(segment);
  const int64_t dim = head.shape.head_dim, ld = head.shape.row_stride(), first = holds_prefix(scratch, segment) ? keys.prefix : 0;
  const auto load_head = [&](int64_t offset, bool panels, HeadRows& to) {
    const int64_t size = round_up(keys.total(), kTileColumns) * dim;
    const float* from = head.qkv + offset;
    grow(to.rows, size);
    if (first < keys.prefix) scale_head(from + keys.prefix_begin * ld, ld, to.rows.data(), dim, keys.prefix, dim, 1.0F);
    scale_head(from + keys.begin * ld, ld, to.rows.data() + keys.prefix * dim, dim, keys.own, dim, 1.0F);
    if (!panels) return;
    grow(to.panels, size);
    fill_panels(first, keys.total(), dim, to);
  };
  load_head(head.key_offset(), true, scratch.keys);
  load_head(head.value_offset(), value_panels, scratch.values);
  scratch.prefix_begin = segment.prefix_begin;
  scratch.prefix_end = segment.prefix_end;
  scratch.stride = round_up(keys.total(), kLanes) + kLanes;
  grow(scratch.scores, kTile * scratch.stride);
}

void segment_forward(const Head& head, float* out, float* lse, const AttentionSegment& segment, AttentionScratch& scratch) {
  load_keys(head, segment, false, scratch);
  const Keys keys = keys_of(segment);
  const AttentionShape& shape = head.shape;
  const int64_t d = shape.head_dim, ld = shape.row_stride(), stride = scratch.stride;
  float* scores = scratch.scores.data();
  for (int64_t h = head.kv_head * head.group(); h < (head.kv_head + 1) * head.group(); ++h) {
    for (int64_t begin = 0; begin < keys.own; begin += kTile) {
      const int64_t rows = std::min(kTile, keys.own - begin), visible = end_key(keys, begin + rows - 1), row = segment.begin + begin;
      const float* queries = scaled_queries(head.qkv + row * ld + h * d, ld, rows, shape, scratch.queries);
      times_panels({queries, d, 1}, scratch.keys.panels.data(), d, visible, scores, stride, rows);
      float inverse[kTile];
      for (int64_t r = 0; r < rows; ++r) {
        inverse[r] = soften(scores + r * stride, first_key(keys, begin + r, shape), end_key(keys, begin + r), visible,
                            lse + (row + r) * shape.heads + h);
      }
      float* to = out + (row * shape.heads + h) * d;
      gemm({scores, stride, 1}, scratch.values.rows.data(), d, to, shape.heads * d, rows, d, visible, false);
      scale_rows(to, shape.heads * d, rows, d, inverse);
    }
  }
}

/// Scores become probabilities (from the kept log-sum-exp), `grads` (dP on entry) becomes the gradient of the scores; both 0 where the
/// query does not see.
void soften_backward(float* scores, float* grads, int64_t low, int64_t high, int64_t visible, float lse, float delta) {
  for (int64_t j = low; j < high; j += kLanes) {
    const Vector p = exp_lanes(load(scores + j) - lse);
    store(scores + j, p);
    store(grads + j, p * (load(grads + j) - delta));
  }
  for (float* row : {scores, grads}) {
    std::fill(row, row + low, 0.0F);
    if (visible > high) std::fill(row + high, row + visible, 0.0F);
  }
}

/// The gradients of keys first … are added to rows row … of a head, and begin anew.
void add_rows(std::vector<float>& gradients, int64_t first, int64_t count, int64_t dim, float* head, int64_t ld, int64_t row) {
  for (int64_t i = 0; i < count; ++i) {
    float* from = gradients.data() + (first + i) * dim;
    float* to = head + (row + i) * ld;
    ask_ahead(to, ld, dim);
    for (int64_t j = 0; j < dim; ++j) to[j] += from[j];
    std::fill(from, from + dim, 0.0F);
  }
}

/// The gradients that the prefix's keys have from all segments so far.
void add_prefix_gradients(const Head& head, float* dqkv, AttentionScratch& scratch) {
  const int64_t d = head.shape.head_dim, ld = head.shape.row_stride(), count = scratch.prefix_end - scratch.prefix_begin;
  add_rows(scratch.dkeys, 0, count, d, dqkv + head.key_offset(), ld, scratch.prefix_begin);
  add_rows(scratch.dvalues, 0, count, d, dqkv + head.value_offset(), ld, scratch.prefix_begin);
}

/// What the backward is given of the forward, and the gradient that it gives.
struct Backward {
  const float *dout, *out, *lse;
  float* dqkv;
};

void segment_backward(const Head& head, const Backward& b, const AttentionSegment& segment, AttentionScratch& scratch) {
  if (!holds_prefix(scratch, segment)) add_prefix_gradients(head, b.dqkv, scratch);
  load_keys(head, segment, true, scratch);
  const Keys keys = keys_of(segment);
  const AttentionShape& shape = head.shape;
  const int64_t d = shape.head_dim, ld = shape.row_stride(), out_stride = shape.heads * d, stride = scratch.stride;
  grow(scratch.grads, kTile * stride);
  grow(scratch.dkeys, keys.total() * d);
  grow(scratch.dvalues, keys.total() * d);
  float* scores = scratch.scores.data();
  float* grads = scratch.grads.data();
  for (int64_t h = head.kv_head * head.group(); h < (head.kv_head + 1) * head.group(); ++h) {
    for (int64_t begin = 0; begin < keys.own; begin += kTile) {
      const int64_t rows = std::min(kTile, keys.own - begin), visible = end_key(keys, begin + rows - 1), row = segment.begin + begin;
      const float* queries = scaled_queries(head.qkv + row * ld + h * d, ld, rows, shape, scratch.queries);
      const float* grad_out = b.dout + row * out_stride + h * d;
      times_panels({queries, d, 1}, scratch.keys.panels.data(), d, visible, scores, stride, rows);
      times_panels({grad_out, out_stride, 1}, scratch.values.panels.data(), d, visible, grads, stride, rows);
      for (int64_t r = 0; r < rows; ++r) {
        const float* out = b.out + (row + r) * out_stride + h * d;
        ask_ahead(out, out_stride, d);
        const float delta = dot(out, grad_out + r * out_stride, d);
        soften_backward(scores + r * stride, grads + r * stride, first_key(keys, begin + r, shape), end_key(keys, begin + r), visible,
                        b.lse[(row + r) * shape.heads + h], delta);
      }
      gemm({scores, 1, stride}, grad_out, out_stride, scratch.dvalues.data(), d, visible, d, rows, true);
      gemm({grads, 1, stride}, queries, d, scratch.dkeys.data(), d, visible, d, rows, true);
      float* to = b.dqkv + row * ld + h * d;
      gemm({grads, stride, 1}, scratch.keys.rows.data(), d, to, ld, rows, d, visible, false);
      scale_head(to, ld, to, ld, rows, d, shape.scale);
    }
  }
  add_rows(scratch.dkeys, keys.prefix, keys.own, d, b.dqkv + head.key_offset(), ld, keys.begin);
  add_rows(scratch.dvalues, keys.prefix, keys.own, d, b.dqkv + head.value_offset(), ld, keys.begin);
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

/// Calls work(head, segments of a family, scratch that holds no prefix).
template <class Work>
void for_each_family(const float* qkv, const AttentionSegment* segments, int64_t count, const AttentionShape& shape, const Work& work) {
  const auto groups = families(segments, count);
  const int64_t tasks = static_cast<int64_t>(groups.size()) * shape.kv_heads;
#pragma omp parallel
  {
    AttentionScratch scratch{};
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; ++task) {
      const auto& [begin, end] = groups[static_cast<size_t>(task / shape.kv_heads)];
      scratch.prefix_begin = scratch.prefix_end = 0;
      work(Head{qkv, shape, task % shape.kv_heads}, std::span(segments + begin, segments + end), scratch);
    }
  }
}

}  // namespace

void attention(const float* qkv, float* out, float* lse, const AttentionSegment* segments, int64_t num_segments,
               const AttentionShape& shape) {
  for_each_family(qkv, segments, num_segments, shape,
                  [&](const Head& head, std::span<const AttentionSegment> family, AttentionScratch& scratch) {
                    for (const AttentionSegment& segment : family) segment_forward(head, out, lse, segment, scratch);
                  });
}

void attention_backward(const float* dout, const float* qkv, const float* out, const float* lse, float* dqkv,
                        const AttentionSegment* segments, int64_t num_segments, const AttentionShape& shape) {
  const Backward backward{dout, out, lse, dqkv};
  for_each_family(qkv, segments, num_segments, shape,
                  [&](const Head& head, std::span<const AttentionSegment> family, AttentionScratch& scratch) {
                    for (const AttentionSegment& segment : family) segment_backward(head, backward, segment, scratch);
                    add_prefix_gradients(head, dqkv, scratch);
                  });
}

}  // namespace grpo::kernels::GRPO_ISA
