#include <torch/csrc/autograd/autograd.h>

#include "ops/ops.h"

namespace grpo::ops {

void backward(const std::vector<at::Tensor>& roots, const std::vector<at::Tensor>& gradients) {
  torch::autograd::backward(roots, gradients);
}

}  // namespace grpo::ops
