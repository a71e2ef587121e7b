#include "grpo/policy/data_parallel.h"

#include "grpo/model/transformer.h"

namespace grpo {

LossNormalizer loss_normalizer(const Batch& share, int64_t max_completion_length, Communicator& communicator, int64_t micro_batches) {
  LossNormalizer result{.max_completion_length = static_cast<double>(max_completion_length)};
  if (share.num_sequences() > 0) result = loss_normalizer(share, max_completion_length);
  double counts[] = {result.tokens, result.sequences, result.entropy_tokens, static_cast<double>(micro_batches)};
  communicator.all_reduce(counts);
  result.tokens = counts[0];
  result.sequences = counts[1];
  result.entropy_tokens = counts[2];
  result.micro_batches = counts[3];
  return result;
}

void sum_gradients(Transformer& model, Communicator& communicator) { sum_gradients(model.trainable(), communicator); }

void sum_gradients(const std::vector<ParameterArena*>& arenas, Communicator& communicator) {
  for (auto* arena : arenas) communicator.all_reduce(arena->flat_grad());
}

void broadcast_weights(Transformer& model, Communicator& communicator) {
  if (communicator.world_size() == 1) return;
  const auto broadcast = [&](const std::vector<ParameterArena*>& arenas) {
    for (auto* arena : arenas) {
      communicator.broadcast(arena->flat());
      arena->mark_written();
    }
  };
  broadcast(model.parameters());
  if (model.has_adapter()) broadcast(model.trainable());
}

}  // namespace grpo
