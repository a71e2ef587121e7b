#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// Sequences laid end to end without padding, a group's shared prompt once. The model computes one hidden row per token.
///
/// Every row belongs to exactly one segment. A row of a segment sees the segment's whole prefix (rows of an earlier segment) and the rows
/// of its own segment up to itself. A prompt is a segment without prefix; each completion of it is a segment whose prefix is the prompt.
struct PackedTokens {
  struct Segment {
    int64_t begin = 0, end = 0;                // rows
    int64_t prefix_begin = 0, prefix_end = 0;  // rows of the prompt; empty if there is none
  };
  std::vector<int32_t> tokens;     // [N] ids
  std::vector<int32_t> positions;  // [N] position within its own sequence, prefix included
  std::vector<Segment> segments;   // in row order, covering [0, N)

  // (row, target) pairs: log p(target | everything row sees). The last prompt row serves the first target of each completion.
  std::vector<int32_t> rows;         // [M] in [0, N)
  std::vector<int32_t> targets;      // [M] ids
  std::vector<int32_t> sequence_of;  // [M] number of the sequence that the pair belongs to, ascending

  int64_t num_tokens() const { return static_cast<int64_t>(tokens.size()); }
  int64_t num_pairs() const { return static_cast<int64_t>(rows.size()); }

  /// Adds a segment, its positions going on behind its prefix, which are rows of an earlier segment. Returns its first row. Throws if
  /// there would be 2^31 rows.
  int64_t add_segment(std::span<const int32_t> ids, int64_t prefix_begin = 0, int64_t prefix_end = 0);
  /// Adds a pair of the sequence `sample`.
  void add_pair(int64_t row, int32_t target, int64_t sample);
  /// Adds pairs of it: rows from `row` on, one behind the other, predict `next`.
  void add_pairs(int64_t row, std::span<const int32_t> next, int64_t sample);
  /// Adds a segment behind the prompt in rows [prompt_begin, prompt_end), each of whose ids is predicted; `completion` is not empty.
  void add_completion(std::span<const int32_t> completion, int64_t prompt_begin, int64_t prompt_end, int64_t sample);
};

}  // namespace grpo
