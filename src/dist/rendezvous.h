#pragma once

#include <string>
#include <vector>

#include "dist/backend.h"

namespace grpo::dist {

/// The store that all ranks of this attempt share, once every rank has come to it. Throws an Error naming those that did not within the
/// timeout, and where two processes say that they are the same rank.
StorePointer meet(const LaunchEnvironment& launch, const ConnectOptions& options);

/// Another connection to that store, for another thread.
StorePointer join_store(const LaunchEnvironment& launch, std::chrono::milliseconds timeout);

/// Called by every living rank after a failure: the ranks that did not call it within `patience`. Rank 0 stays for the others, as it may
/// hold the store; where the store itself is gone, that is rank 0.
std::vector<int64_t> absent_ranks(const StorePointer& store, const LaunchEnvironment& launch, std::chrono::milliseconds patience);

/// "rank 2", "ranks 1, 2 and 5".
std::string to_text(const std::vector<int64_t>& ranks);

/// What an exception of torch's says, in one line.
std::string reason(const std::exception& error);

}  // namespace grpo::dist
