#pragma once

#include "grpo/api.h"

namespace GRPO_API grpo {

/// Has malloc keep large blocks that are freed instead of giving them back to the system, for the whole process: a training step frees and
/// allocates the same activations over and over, and fresh pages are cleared by the kernel each time. Peak memory stays the same. Does
/// nothing if the C library is not glibc, and if MALLOC_MMAP_THRESHOLD_ or GLIBC_TUNABLES is set.
void keep_freed_memory();

}  // namespace grpo
