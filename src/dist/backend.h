#pragma once

#include <c10/util/intrusive_ptr.h>

#include "grpo/dist/communicator.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace grpo::dist {

using StorePointer = c10::intrusive_ptr<c10d::Store>;
using BackendPointer = c10::intrusive_ptr<c10d::Backend>;

// Each of these has two definitions, of which the build links one: gloo.cpp or no_gloo.cpp, nccl.cpp or no_nccl.cpp.
extern const bool kHasGloo, kHasNccl;
/// Connects to every other rank, which all call it. Throws where this build lacks the back end.
BackendPointer make_gloo(const StorePointer& store, const LaunchEnvironment& launch, const ConnectOptions& options);
BackendPointer make_nccl(const StorePointer& store, const LaunchEnvironment& launch, const ConnectOptions& options);

}  // namespace grpo::dist
