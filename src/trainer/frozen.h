#pragma once

#include <memory>

#include "grpo/algorithm/batch.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"

namespace grpo {

/// What a model gives for a batch without gradient, micro-batch by micro-batch: [M] each of what `options` asks for.
TokenOutputs frozen_outputs(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens);

/// The same for a batch that all ranks have: each computes a share, all get the whole. Every rank calls it.
TokenOutputs shared_outputs(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens,
                            Communicator& communicator);

/// A model of its own with the same weights (without LoRA).
std::unique_ptr<Transformer> frozen_copy(Transformer& model);

}  // namespace grpo
