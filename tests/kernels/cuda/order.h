#pragma once

#include <cstdint>

namespace grpo::kernels::testing {

/// The order of a kernel's threads and blocks, as host::set_order has it; a GPU has its own. order_on_host.cpp or order_on_gpu.cpp.
void set_order(uint64_t seed);

}  // namespace grpo::kernels::testing
