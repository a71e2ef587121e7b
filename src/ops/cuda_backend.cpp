#include <ATen/ops/empty.h>

#include "ops/cuda_parts.h"
#include "ops/cuda_tensors.h"
#include "ops/cuda_torch.h"

namespace grpo::ops {
namespace {

device::Matrix matrix_of(const Operand& operand) {
  const at::Tensor& m = operand.matrix;
  GRPO_CHECK(m.dim() == 2 && m.stride(1) == 1, "product (CUDA)", "expected a matrix whose columns lie side by side");
  return {m.const_data_ptr(), element_of(m), m.stride(0), operand.transposed};
}

at::Tensor partial_sums(int64_t columns, const at::Tensor& beside) {
  return at::empty({kernels::kPartialBlocks, columns}, beside.options().dtype(at::kFloat));
}

kernels::QkNormRope arguments_of(const QkNormInput& in) {
  const auto norm = [&in](const at::Tensor& weight) { return weight.numel() > 0 ? ops::in(weight, in.qkv) : nullptr; };
  return {.qkv = ops::in(in.qkv, in.qkv),
          .q_norm = norm(in.q_norm),
          .k_norm = norm(in.k_norm),
          .cos = in.cos.const_data_ptr<float>(),
          .sin = in.sin.const_data_ptr<float>(),
          .positions = in.positions.const_data_ptr<int32_t>(),
          .rstd = optional_data<float>(in.rstd),
          .rows = in.qkv.size(0),
          .heads = in.heads.heads,
          .kv_heads = in.heads.kv_heads,
          .head_dim = in.heads.head_dim,
          .pairs = in.cos.size(1)};
}

/// Everything on torch's current stream, memory from torch's allocator.
class Cuda final : public Backend {
 public:
  bool computes(at::ScalarType type) const override { return type == at::kFloat || type == at::kBFloat16; }

  void product(const Operand& a, const Operand& b, at::Tensor& c, bool accumulate,
               kernels::Precision /*the operands' own*/) const override {
    cuda::multiply(a, b, c, accumulate);
  }

  void rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& rstd) const override {
    kernels_of(x).rms_norm(in(x, x), in(weight, x), out(y, x), rstd.mutable_data_ptr<float>(), x.size(0), x.size(1),
                           static_cast<float>(eps), current_stream());
  }
  void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd, at::Tensor& dx,
                         at::Tensor& dweight) const override {
    const at::Tensor partials = partial_sums(x.size(1), x);
    kernels_of(x).rms_norm_backward(in(dy, x), in(x, x), in(weight, x), rstd.const_data_ptr<float>(), out(dx, x),
                                    dweight.mutable_data_ptr<float>(), partials.mutable_data_ptr<float>(), x.size(0), x.size(1),
                                    current_stream());
  }

  void qk_norm_rope(const QkNormInput& input, double eps, at::Tensor& y) const override {
    kernels_of(input.qkv).qk_norm_rope(arguments_of(input), out(y, input.qkv), static_cast<float>(eps), current_stream());
  }
  void qk_norm_rope_backward(const at::Tensor& dout, const QkNormInput& input, at::Tensor& dqkv, at::Tensor& dq,
                             at::Tensor& dk) const override {
    const bool normed = input.q_norm.numel() > 0 || input.k_norm.numel() > 0;
    const at::Tensor partials = normed ? partial_sums(2 * input.heads.head_dim, input.qkv) : at::Tensor();
    kernels_of(input.qkv).qk_norm_rope_backward(arguments_of(input),
                                                {.dout = in(dout, input.qkv),
                                                 .dqkv = out(dqkv, input.qkv),
                                                 .dq_norm = optional_data<float>(dq),
                                                 .dk_norm = optional_data<float>(dk),
                                                 .partials = optional_data<float>(partials)},
                                                current_stream());
  }

  AttentionOutput attention(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) const override {
    return cuda::attention(qkv, plan, heads);
  }
  at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const AttentionOutput& forward, const AttentionPlan& plan,
                                const HeadLayout& heads) const override {
    return cuda::attention_backward(dout, qkv, forward, plan, heads);
  }

  void swiglu(const at::Tensor& gate_up, at::Tensor& y) const override {
    kernels_of(y).swiglu(in(gate_up, y), out(y, y), y.size(0), y.size(1), current_stream());
  }
  void swiglu_backward(const at::Tensor& dy, const at::Tensor& gate_up, at::Tensor& dgate_up) const override {
    kernels_of(dy).swiglu_backward(in(dy, dy), in(gate_up, dy), out(dgate_up, dy), dy.size(0), dy.size(1), current_stream());
  }

  at::Tensor gather_rows(const at::Tensor& table, const RowIndex& index) const override {
    at::Tensor rows = at::empty({index.ids.size(0), table.size(1)}, table.options());
    kernels_of(table).embedding(index.ids.const_data_ptr<int32_t>(), in(table, table), out(rows, table), rows.size(0), rows.size(1),
                                current_stream());
    return rows;
  }
  void add_rows(const at::Tensor& rows, const RowIndex& index, at::Tensor total) const override {
    kernels_of(total).embedding_backward(in(rows, total), index.ids.const_data_ptr<int32_t>(), index.order.const_data_ptr<int64_t>(),
                                         out(total, total), rows.size(0), rows.size(1), current_stream());
  }

  void linear_logprob(const HeadInput& head, HeadOutput& result) const override { cuda::linear_logprob(head, result); }
  void linear_logprob_backward(const HeadInput& head, const HeadGradient& gradient, at::Tensor& dhidden,
                               at::Tensor& dweight) const override {
    cuda::linear_logprob_backward(head, gradient, dhidden, dweight);
  }

  /// One wait for all buffers.
  double sum_of_squares(const std::vector<at::Tensor>& buffers) const override {
    const auto doubles = buffers.front().options().dtype(at::kDouble);
    const at::Tensor results = at::empty({static_cast<int64_t>(buffers.size())}, doubles);
    for (size_t i = 0; i < buffers.size(); ++i) {
      const at::Tensor partials = at::empty({kernels::square_partials(buffers[i].numel())}, doubles);
      kernels_of(buffers[i])
          .sum_of_squares(in(buffers[i], buffers[i]), buffers[i].numel(), partials.mutable_data_ptr<double>(),
                          results.mutable_data_ptr<double>() + i, current_stream());
    }
    const at::Tensor here = results.cpu();
    double sum = 0.0;
    for (size_t i = 0; i < buffers.size(); ++i) sum += here.const_data_ptr<double>()[i];
    return sum;
  }
  void adamw(const AdamWBuffers& b, int64_t begin, int64_t end, const kernels::AdamWStep& step) const override {
    kernels_of(b.gradients)
        .adamw(b.masters.mutable_data_ptr<float>(), b.rounded.defined() ? out(b.rounded, b.gradients) : nullptr,
               in(b.gradients, b.gradients), b.exp_avg.mutable_data_ptr<float>(), b.exp_avg_sq.mutable_data_ptr<float>(), begin, end, step,
               current_stream());
  }
};

}  // namespace

void cuda::multiply(const Operand& a, const Operand& b, const at::Tensor& c, bool accumulate) {
  const device::Matrix result = matrix_of({c});
  device::matmul(matrix_of(a), matrix_of(b),
                 {.c = c.mutable_data_ptr(), .element = result.element, .stride = result.stride, .beta = accumulate ? 1.0F : 0.0F},
                 c.size(0), c.size(1), a.matrix.size(a.transposed ? 0 : 1), current_stream());
}

const Backend& cuda_backend() {
  static const Cuda backend;
  return backend;
}

}  // namespace grpo::ops
