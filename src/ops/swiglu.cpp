#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/check.h"
#include "ops/ops.h"

namespace grpo::ops {
namespace {

struct Swiglu : torch::autograd::Function<Swiglu> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& gate_up) {
    GRPO_CHECK(gate_up.dim() == 2 && gate_up.size(1) % 2 == 0, "swiglu", "expected gate_up [N, 2 I]");
    at::Tensor y = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
    train_kernels().swiglu(in(gate_up, "swiglu"), out(y), y.size(0), y.size(1));
    ctx->save_for_backward({gate_up});
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx, torch::autograd::variable_list grads) {
    const at::Tensor gate_up = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    at::Tensor dgate_up = at::empty_like(gate_up);
    train_kernels().swiglu_backward(in(dy, "swiglu"), in(gate_up, "swiglu"), out(dgate_up), dy.size(0), dy.size(1));
    return {dgate_up};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) { return Swiglu::apply(gate_up); }

}  // namespace grpo::ops
