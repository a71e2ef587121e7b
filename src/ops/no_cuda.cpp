#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {

bool on_cuda(at::Device device) {
  if (!device.is_cpu()) {
    fail_usage("ops", "expected tensors on the CPU, since this build has no CUDA; got some on " + device.str() +
                          " (configure with -DGRPO_CUDA=ON)");
  }
  return false;
}

bool has_cuda() { return false; }

at::Device cuda_device() { fail_usage("device", "expected cpu, since this build has no CUDA; got cuda (configure with -DGRPO_CUDA=ON)"); }

std::vector<std::string> device_names() { return {"cpu"}; }

const Backend& backend(at::Device device) {
  on_cuda(device);
  return cpu_backend();
}

}  // namespace grpo::ops
