#include "ops/backend.h"

namespace grpo::ops {

bool computes(at::Device device, at::ScalarType type) { return backend(device).computes(type); }

}  // namespace grpo::ops
