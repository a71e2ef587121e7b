#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "dist/backend.h"
#include "grpo/core/error.h"

namespace grpo::dist {

const bool kHasNccl = false;

BackendPointer make_nccl(const StorePointer& /*store*/, const LaunchEnvironment& /*launch*/, const ConnectOptions& /*options*/) {
  fail("connect", "expected a build with NCCL for several GPUs; got one with GRPO_NCCL=OFF");
}

}  // namespace grpo::dist
