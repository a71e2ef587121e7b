#include "backend.h"
#include "grpo/core/error.h"

namespace grpo {

std::unique_ptr<DecodeBackend> make_cuda_backend() {
  fail_usage("RolloutEngine",
             "expected a model on the CPU, since this build has no CUDA; got one on a GPU (configure with -DGRPO_CUDA=ON)");
}

}  // namespace grpo
