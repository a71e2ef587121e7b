#pragma once

#include <cstdint>
#include <vector>

#include "grpo/algorithm/loss.h"
#include "grpo/api.h"
#include "grpo/dist/communicator.h"

namespace GRPO_API grpo {

class ParameterArena;
class Transformer;

// Data parallel training: every rank holds the whole model and has a share of each optimiser step's sequences. Gradients are summed over
// ranks, so the normaliser is that of all shares, and no rank's share counts more than another's.

/// The normaliser of an optimiser step of which this rank has `share` (empty is fine), cut into `micro_batches`: counts are those of all
/// ranks. Every rank calls it.
LossNormalizer loss_normalizer(const Batch& share, int64_t max_completion_length, Communicator& communicator, int64_t micro_batches = 1);

/// Every rank's gradients become their sum over ranks: after the last backward of a step, before clipping.
void sum_gradients(Transformer& model, Communicator& communicator);
void sum_gradients(const std::vector<ParameterArena*>& arenas, Communicator& communicator);

/// Every rank gets rank 0's weights.
void broadcast_weights(Transformer& model, Communicator& communicator);

}  // namespace grpo
