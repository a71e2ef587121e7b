#include <span>

#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

// Few query heads share a kv head: tiles are at most half as high as those of linear layers, and twice as wide.
constexpr int kHeads = kLanes == 16 ? 4 : 2;

// Scores stand at the same distance from the first entry whatever run they come from; whole vectors of keys are computed, so some lie
// before the first entry and after the last one.
int64_t score_stride(int64_t entries) { return round_up(entries, kKeyBlock) + 3 * kKeyBlock; }

struct Scores {
  float* first;  // of head 0, entry 0
  int64_t stride;
};

/// Rows of keys or values, ld apart. The next head's lie `next` elements further on, and are asked for on the way.
template <class Dot>
struct Cached {
  const typename Dot::Weight* data;
  int64_t ld, next;
};

// C [rows, kVectors kLanes] (+)= A [rows, depth] · B.
template <class Dot, int kVectors>
inline void multiply(int64_t rows, const float* a, int64_t lda, const Cached<Dot>& b, float* c, int64_t ldc, int64_t depth,
                     bool accumulate) {
  constexpr int64_t kBytes = sizeof(typename Dot::Weight);
  constexpr int kLines = (kVectors * kLanes * kBytes + 63) / 64;
  for_row_tiles<kHeads>(rows, [&]<int kRows>(int64_t first) {
    Vector sum[kRows][kVectors];
    float* out = c + first * ldc;
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kVectors; ++j) sum[i][j] = accumulate ? load(out + i * ldc + j * kLanes) : Vector{};
    }
    const Prefetch prefetch{reinterpret_cast<const char*>(b.data) + b.next * kBytes, b.ld * kBytes};
    dot_tile<Dot, kLines>(a + first * lda, lda, b.data, b.ld, depth, prefetch, sum);
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kVectors; ++j) store(out + i * ldc + j * kLanes, sum[i][j]);
    }
  });
}

// As above with the fewest vectors, at most 4, that hold `columns`.
template <class Dot>
void multiply_columns(int64_t columns, int64_t rows, const float* a, int64_t lda, const Cached<Dot>& b, float* c, int64_t ldc,
                      int64_t depth, bool accumulate) {
  if (columns > 2 * kLanes) {
    multiply<Dot, 4>(rows, a, lda, b, c, ldc, depth, accumulate);
  } else if (columns > kLanes) {
    multiply<Dot, 2>(rows, a, lda, b, c, ldc, depth, accumulate);
  } else {
    multiply<Dot, 1>(rows, a, lda, b, c, ldc, depth, accumulate);
  }
}

// q · k of every head and entry.
template <class Dot>
void score_run(const AttentionTask& task, const CacheRun& run, int64_t offset, const Scores& scores) {
  const auto* keys = static_cast<const typename Dot::Weight*>(run.keys);
  float* out = scores.first + offset - run.begin % kKeyBlock;
  for (int64_t block = run.begin / kKeyBlock; block * kKeyBlock < run.end; ++block, out += kKeyBlock) {
    multiply_columns<Dot>(run.end - block * kKeyBlock, task.group, task.q, task.head_dim,
                          {keys + block * task.head_dim * kKeyBlock, kKeyBlock, kKvPage * task.head_dim}, out, scores.stride, task.head_dim,
                          false);
  }
}

// exp(score - maximum) in place; gives the sum.
float soften(float* scores, int64_t entries) {
  const int64_t padded = round_up(entries, kLanes);
  for (int64_t i = entries; i < padded; ++i) scores[i] = -__builtin_inff();
  return exp_and_sum(scores, scores, padded, row_max(scores, padded), 1.0F);
}

// out [group, value_columns] (+)= weights · values.
template <class Dot>
void weigh_run(const AttentionTask& task, const CacheRun& run, const float* weights, int64_t stride, float* out, bool accumulate) {
  const int64_t columns = value_columns(task.head_dim);
  const auto* values = static_cast<const typename Dot::Weight*>(run.values) + run.begin * columns;
  for (int64_t j = 0, width = 0; j < columns; j += width) {
    // 4, 2 or 1 vectors: 3 are cut in two
    width = columns - j >= 4 * kLanes ? 4 * kLanes : columns - j >= 2 * kLanes ? 2 * kLanes : kLanes;
    multiply_columns<Dot>(width, task.group, weights, stride, {values + j, columns, kKvPage * columns}, out + j, columns,
                          run.end - run.begin, accumulate);
  }
}

}  // namespace

int64_t value_columns(int64_t head_dim) { return round_up(head_dim, kLanes); }

int64_t attention_scratch(int64_t group, int64_t head_dim, int64_t entries) {
  return group * (score_stride(entries) + value_columns(head_dim) + 1);
}

template <class Dot>
void decode_attention(const AttentionTask& task) {
  const int64_t columns = value_columns(task.head_dim);
  int64_t entries = 0;
  const std::span runs(task.runs, static_cast<size_t>(task.run_count));
  for (const CacheRun& run : runs) entries += run.end - run.begin;
  const Scores scores{task.scratch + kKeyBlock, score_stride(entries)};
  float* out = task.scratch + task.group * scores.stride;

  int64_t offset = 0;
  for (const CacheRun& run : runs) {
    score_run<Dot>(task, run, offset, scores);
    offset += run.end - run.begin;
  }
  float* inverse_sums = out + task.group * columns;
  for (int64_t h = 0; h < task.group; ++h) inverse_sums[h] = 1.0F / soften(scores.first + h * scores.stride, entries);

  offset = 0;
  for (const CacheRun& run : runs) {
    weigh_run<Dot>(task, run, scores.first + offset, scores.stride, out, offset > 0);
    offset += run.end - run.begin;
  }
  for (int64_t h = 0; h < task.group; ++h) {
    for (int64_t i = 0; i < task.head_dim; ++i) task.out[h * task.head_dim + i] = out[h * columns + i] * inverse_sums[h];
  }
}

template void decode_attention<FloatDot>(const AttentionTask&);
template void decode_attention<WideningDot>(const AttentionTask&);

}  // namespace grpo::kernels::GRPO_ISA
