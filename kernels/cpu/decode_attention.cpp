#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

// Scores stand at the same distance from the first entry whatever run they come from; whole blocks of keys are computed, so some lie
// before the first entry and after the last one.
int64_t score_stride(int64_t entries) { return round_up(entries, kTileColumns) + 3 * kTileColumns; }

struct Scores {
  float* first;  // of head 0, entry 0
  int64_t stride;
};

// q · k of every head and entry.
void score_run(const AttentionTask& task, const CacheRun& run, int64_t offset, const Scores& scores) {
  const int64_t first_block = run.begin / kTileColumns, block_floats = task.head_dim * kTileColumns;
  float* out = scores.first + offset - run.begin % kTileColumns;
  for (int64_t block = first_block; block * kTileColumns < run.end; ++block, out += kTileColumns) {
    skinny_gemm<kTileRows, 2>(task.group, {task.q, task.head_dim, 1}, run.keys + block * block_floats, kTileColumns, out, scores.stride,
                              task.head_dim, false);
  }
}

// exp(score - maximum) in place; gives the sum.
float soften(float* scores, int64_t entries) {
  const int64_t padded = round_up(entries, kLanes);
  for (int64_t i = entries; i < padded; ++i) scores[i] = -__builtin_inff();
  return exp_and_sum(scores, scores, padded, row_max(scores, padded), 1.0F);
}

template <int kRows, int kVectors>
void weigh_columns(const AttentionTask& task, const CacheRun& run, const float* weights, int64_t stride, float* out, int64_t column,
                   bool accumulate) {
  const int64_t columns = value_columns(task.head_dim);
  skinny_gemm<kRows, kVectors>(task.group, {weights, stride, 1}, run.values + run.begin * columns + column, columns, out + column, columns,
                               run.end - run.begin, accumulate);
}

// out [group, value_columns] (+)= weights · values.
void weigh_run(const AttentionTask& task, const CacheRun& run, const float* weights, int64_t stride, float* out, bool accumulate) {
  const int64_t columns = value_columns(task.head_dim);
  int64_t j = 0;
  for (; j + 4 * kLanes <= columns; j += 4 * kLanes) weigh_columns<kTileRows / 2, 4>(task, run, weights, stride, out, j, accumulate);
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) weigh_columns<kTileRows, 2>(task, run, weights, stride, out, j, accumulate);
  for (; j < columns; j += kLanes) weigh_columns<kTileRows, 1>(task, run, weights, stride, out, j, accumulate);
}

}  // namespace

int64_t value_columns(int64_t head_dim) { return round_up(head_dim, kLanes); }

int64_t attention_scratch(int64_t group, int64_t head_dim, int64_t entries) {
  return group * (score_stride(entries) + value_columns(head_dim) + 1);
}

void decode_attention(const AttentionTask& task) {
  const int64_t columns = value_columns(task.head_dim);
  int64_t entries = 0;
  for (const CacheRun& run : task.runs) entries += run.end - run.begin;
  const Scores scores{task.scratch + kTileColumns, score_stride(entries)};
  float* out = task.scratch + task.group * scores.stride;

  int64_t offset = 0;
  for (const CacheRun& run : task.runs) {
    if (run.begin < run.end) score_run(task, run, offset, scores);
    offset += run.end - run.begin;
  }
  float* inverse_sums = out + task.group * columns;
  for (int64_t h = 0; h < task.group; ++h) inverse_sums[h] = 1.0F / soften(scores.first + h * scores.stride, entries);

  offset = 0;
  for (const CacheRun& run : task.runs) {
    if (run.begin < run.end) weigh_run(task, run, scores.first + offset, scores.stride, out, offset > 0);
    offset += run.end - run.begin;
  }
  for (int64_t h = 0; h < task.group; ++h) {
    for (int64_t i = 0; i < task.head_dim; ++i) task.out[h * task.head_dim + i] = out[h * columns + i] * inverse_sums[h];
  }
}

}  // namespace grpo::kernels::GRPO_ISA
