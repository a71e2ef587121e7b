#include <c10/cuda/CUDAFunctions.h>

#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "dist/backend.h"
#include "grpo/core/error.h"

namespace grpo::dist {

const bool kHasNccl = true;

BackendPointer make_nccl(const StorePointer& store, const LaunchEnvironment& launch, const ConnectOptions& options) {
  const int64_t devices = c10::cuda::device_count(), device = options.device.has_index() ? options.device.index() : launch.local_rank;
  GRPO_CHECK(device < devices, "connect",
             "expected a GPU for each process of this machine; got " + std::to_string(devices) + " for local rank " +
                 std::to_string(launch.local_rank));
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
  auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = options.timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, static_cast<int>(launch.rank), static_cast<int>(launch.world_size),
                                                     std::move(nccl));
}

}  // namespace grpo::dist
