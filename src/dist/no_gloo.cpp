#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "dist/backend.h"
#include "grpo/core/error.h"

namespace grpo::dist {

const bool kHasGloo = false;

BackendPointer make_gloo(const StorePointer& /*store*/, const LaunchEnvironment& /*launch*/, const ConnectOptions& /*options*/) {
  fail("connect", "expected a build with Gloo for several processes on the CPU; got one with GRPO_GLOO=OFF");
}

}  // namespace grpo::dist
