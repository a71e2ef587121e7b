#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/data/packed.h"
#include "grpo/data/types.h"

namespace GRPO_API grpo {

/// What a token's draw depends on beside its problem, sample and position.
struct DrawKey {
  uint64_t seed = 0, step = 0;
};

struct BatchOptions {
  /// Leave completions that ended for their length, or have not ended, out of the loss (their rewards still count).
  bool mask_truncated_completions = false;
  std::optional<DrawKey> draw_key = std::nullopt;  // draw `Batch::draws` by it
};

/// A completion of a prompt to pack, as views of what the caller keeps.
struct Sequence {
  int64_t group = 0;   // sequences of one group are adjacent and have one prompt
  int64_t sample = 0;  // number within the group; with `stream`, what its draws depend on
  int64_t stream = 0;
  std::span<const int32_t> prompt_ids = {}, ids = {};
  std::span<const float> logprobs = {};  // nats, one per id, of the sampler; empty: not recorded
  FinishReason finish = FinishReason::kStop;
  int64_t born_at_step = 0;  // optimiser steps that the weights had seen which sampled its first id
};

struct SplitOptions {
  int64_t max_tokens = 8192;  // rows of a micro-batch, prompts included
  bool keep_groups = false;   // a group that does not fit is not cut, but gets a micro-batch of its own
};

/// Sequences to train on: packed tokens, and what the loss needs of each (row, target) pair. S sequences, M pairs, N tokens; a sequence's
/// pairs are the ids of its completion, in order, sequences in order.
struct Batch : PackedTokens {
  std::vector<int64_t> groups;        // [S] the group of each sequence
  std::vector<int64_t> born_at_step;  // [S] optimiser steps that the weights had seen which sampled its first id
  at::Tensor advantages;              // [M] float32
  at::Tensor mask;                    // [M] float32, 1 = in the loss
  at::Tensor old_logprobs;            // [M] nats, of the policy before the step's first update; undefined: the current policy's own
  at::Tensor ref_logprobs;            // [M] nats, of the reference policy; undefined: none
  at::Tensor sampling_logprobs;       // [M] nats, as the sampler recorded them; NaN for tokens it did not record; undefined: none
  at::Tensor draws;                   // [M] uniform in [0, 1), by which clip_cov chooses tokens; undefined: none

  std::map<std::string, at::Tensor> columns;  // [M] each: further figures of an objective, by name; they follow their pairs

  int64_t num_sequences() const { return static_cast<int64_t>(groups.size()); }

  /// The sequences of those numbers as a batch of their own, in ascending order, so that what is left of a group still shares its prompt.
  /// Throws on a number that is out of range or given twice.
  Batch select(std::vector<int64_t> chosen) const;

  /// Cuts into as few micro-batches of at most `max_tokens` rows as the order of sequences allows, then evens out their sizes. Groups that
  /// fit stay whole; one that does not is cut between sequences and its prompt repeated. A sequence that alone exceeds the budget gets its
  /// own micro-batch. Concatenated, the pairs of the micro-batches are those of the batch, in the same order.
  std::vector<Batch> split(const SplitOptions& options) const;

  /// The same batch with its tensors on `device`.
  Batch to(at::Device device) const;
};

/// Packs sequences, a group's prompt once, with the completion's first id predicted by the last prompt row. `advantages` is [B], one per
/// sequence, [M], one per id, or undefined. The sampler's log-probs come along if every sequence has one per id.
/// Throws on empty prompts or completions, on unequal prompts within a group, and on a wrong number of advantages or log-probs.
Batch make_batch(const std::vector<Sequence>& sequences, const at::Tensor& advantages, const BatchOptions& options = {});
/// The same of rollouts.
Batch make_batch(const std::vector<Rollout>& rollouts, const at::Tensor& advantages, const BatchOptions& options = {});

}  // namespace grpo
