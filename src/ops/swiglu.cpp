#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

struct Swiglu : torch::autograd::Function<Swiglu> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& gate_up) {
    GRPO_CHECK(gate_up.dim() == 2 && gate_up.size(1) % 2 == 0, "swiglu", "expected gate_up [N, 2 I]");
    at::Tensor y = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
    backend(gate_up).swiglu(gate_up, y);
    ctx->save_for_backward({gate_up});
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::variable_list grads) {
    const at::Tensor gate_up = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    at::Tensor dgate_up = at::empty_like(gate_up);
    backend(gate_up).swiglu_backward(dy, gate_up, dgate_up);
    return {dgate_up};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) { return Swiglu::apply(gate_up); }

}  // namespace grpo::ops
