#pragma once

#include <cstdint>
#include <vector>

#include "grpo/dist/communicator.h"
#include "grpo/policy/policy.h"
#include "grpo/trainer/config.h"
#include "objective/trained_models.h"
#include "run/fingerprint.h"

// What a run is made of, and that all ranks are made of the same.
namespace grpo {

/// Of a run before its first step: its settings, the problems, the weights that it begins from (which are its reference), the tokenizer,
/// the program, its instruction set and the number of ranks.
Fingerprint fingerprint_of(const Config& config, const Policy& policy, const std::vector<Problem>& problems,
                           const std::vector<Problem>& eval_problems, const Communicator& communicator);

/// Throws a usage error on all ranks if one was started with other settings or contents than rank 0; it shows both values. Every rank calls
/// it.
void expect_equal_ranks(Communicator& communicator, const Fingerprint& mine);

/// Throws on all ranks if their weights are not the same bits any more: between steps `last_equal` and `now`. Every rank calls it.
void expect_equal_replicas(Communicator& communicator, const TrainedModels& models, int64_t last_equal, int64_t now);

}  // namespace grpo
