#pragma once

#include <memory>
#include <vector>

#include "grpo/algorithm/batch.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"

namespace grpo {

/// What a model gives for a batch without gradient, micro-batch by micro-batch: [M] each of what `options` asks for. Throws an Error of
/// kind kInterrupted once a signal asks to abandon it.
TokenOutputs outputs_without_grad(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens);

/// The same for a batch that all ranks have: each rank computes a share, and all get the whole. Every rank calls it.
TokenOutputs outputs_of_all_ranks(Transformer& model, const Batch& batch, const LogprobOptions& options, int64_t max_tokens,
                                  Communicator& communicator);

/// A model of its own that computes what `model` computes; low-rank adapters are added to its weights.
std::unique_ptr<Transformer> frozen_copy(Transformer& model);
/// The same with the weights of `arenas`, which may lie on another device, and without adapters.
std::unique_ptr<Transformer> frozen_copy(Transformer& model, const std::vector<ParameterArena*>& arenas);

}  // namespace grpo
