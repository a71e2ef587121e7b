#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros_like.h>

#include "attention_scale.h"
#include "dispatch.h"
#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

const kernels::TrainKernels& table() { return *kernels::cpu_kernels().train; }

/// Kernels take float32, contiguous memory on the CPU; anything else is refused here with the op's name.
const at::Tensor& checked(const at::Tensor& t, const char* where) {
  GRPO_CHECK(t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous(), where,
             "expected a contiguous float32 tensor on the CPU; got " + t.toString() + " on " + t.device().str());
  return t;
}
const float* in(const at::Tensor& t, const char* where) { return checked(t, where).const_data_ptr<float>(); }
/// Of a matrix whose rows may lie apart.
const float* rows_of(const at::Tensor& t) {
  GRPO_CHECK(t.is_cpu() && t.scalar_type() == at::kFloat && t.dim() == 2 && (t.stride(1) == 1 || t.size(1) <= 1), "product",
             "expected a float32 matrix on the CPU; got " + t.toString() + " on " + t.device().str());
  return t.const_data_ptr<float>();
}
float* out(const at::Tensor& t) { return t.mutable_data_ptr<float>(); }
/// Null for an absent tensor, which is undefined or empty.
const float* optional_in(const at::Tensor& t, const char* where) { return t.defined() && t.numel() > 0 ? in(t, where) : nullptr; }
float* optional_out(const at::Tensor& t) { return t.numel() > 0 ? out(t) : nullptr; }

kernels::AttentionShape shape_of(const HeadLayout& heads) {
  return {heads.heads, heads.kv_heads, heads.head_dim, heads.window, kernels::attention_scale(heads.head_dim)};
}

kernels::LogprobHead head_of(const HeadInput& head) {
  return {.hidden = in(head.hidden, "linear_logprob"),
          .weight = in(head.weight, "linear_logprob"),
          .targets = head.targets.const_data_ptr<int32_t>(),
          .rows = head.hidden.size(0),
          .dim = head.hidden.size(1),
          .limit = head.limit,
          .inverse_temperature = static_cast<float>(1.0 / head.temperature),
          .precision = head.precision,
          .exact = head.exact};
}

class Cpu final : public Backend {
 public:
  bool computes(at::ScalarType type) const override { return type == at::kFloat; }

  void product(const Operand& a, const Operand& b, at::Tensor& c, bool accumulate, kernels::Precision precision) const override {
    // outer dimensions are a's rows and b's columns
    const kernels::MatrixView left{rows_of(a.matrix), a.matrix.stride(0), !a.transposed};
    const kernels::MatrixView right{rows_of(b.matrix), b.matrix.stride(0), b.transposed};
    const int64_t depth = a.matrix.size(a.transposed ? 0 : 1);
    table().product(left, right, const_cast<float*>(rows_of(c)), c.stride(0), {c.size(0), c.size(1), depth}, accumulate, precision);
  }

  void rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& rstd) const override {
    table().rms_norm(in(x, "rms_norm"), in(weight, "rms_norm"), out(y), out(rstd), x.size(0), x.size(1), static_cast<float>(eps));
  }
  void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd, at::Tensor& dx,
                         at::Tensor& dweight) const override {
    table().rms_norm_backward(in(dy, "rms_norm"), in(x, "rms_norm"), in(weight, "rms_norm"), in(rstd, "rms_norm"), out(dx), out(dweight),
                              x.size(0), x.size(1));
  }

  void qk_norm_rope(const QkNormInput& input, double eps, at::Tensor& y) const override {
    const char* where = "qk_norm_rope";
    table().qk_norm_rope(in(input.qkv, where), optional_in(input.q_norm, where), optional_in(input.k_norm, where), in(input.cos, where),
                         in(input.sin, where), input.positions.const_data_ptr<int32_t>(), out(y), out(input.rstd), y.size(0),
                         shape_of(input.heads), static_cast<float>(eps));
  }
  void qk_norm_rope_backward(const at::Tensor& dout, const QkNormInput& input, at::Tensor& dqkv, at::Tensor& dq,
                             at::Tensor& dk) const override {
    const char* where = "qk_norm_rope";
    table().qk_norm_rope_backward(in(dout, where), in(input.qkv, where), optional_in(input.q_norm, where), optional_in(input.k_norm, where),
                                  in(input.cos, where), in(input.sin, where), input.positions.const_data_ptr<int32_t>(),
                                  in(input.rstd, where), out(dqkv), out(dq), out(dk), dqkv.size(0), shape_of(input.heads));
  }

  AttentionOutput attention(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) const override {
    AttentionOutput result{at::empty({qkv.size(0), heads.heads * heads.head_dim}, qkv.options()),
                           at::empty({qkv.size(0), heads.heads}, qkv.options())};
    table().attention(in(qkv, "attention"), out(result.out), out(result.lse), plan.segments.data(),
                      static_cast<int64_t>(plan.segments.size()), shape_of(heads));
    return result;
  }
  at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const AttentionOutput& forward, const AttentionPlan& plan,
                                const HeadLayout& heads) const override {
    at::Tensor dqkv = at::zeros_like(qkv);
    table().attention_backward(in(dout, "attention"), in(qkv, "attention"), in(forward.out, "attention"), in(forward.lse, "attention"),
                               out(dqkv), plan.segments.data(), static_cast<int64_t>(plan.segments.size()), shape_of(heads));
    return dqkv;
  }

  void swiglu(const at::Tensor& gate_up, at::Tensor& y) const override {
    table().swiglu(in(gate_up, "swiglu"), out(y), y.size(0), y.size(1));
  }
  void swiglu_backward(const at::Tensor& dy, const at::Tensor& gate_up, at::Tensor& dgate_up) const override {
    table().swiglu_backward(in(dy, "swiglu"), in(gate_up, "swiglu"), out(dgate_up), dy.size(0), dy.size(1));
  }

  at::Tensor gather_rows(const at::Tensor& rows, const RowIndex& index) const override { return at::index_select(rows, 0, index.ids); }
  void add_rows(const at::Tensor& rows, const RowIndex& index, at::Tensor total) const override { total.index_add_(0, index.ids, rows); }

  void linear_logprob(const HeadInput& head, HeadOutput& result) const override {
    table().linear_logprob(head_of(head), out(result.logprobs), out(result.lse), optional_out(result.entropy));
  }
  void linear_logprob_backward(const HeadInput& head, const HeadGradient& gradient, at::Tensor& dhidden,
                               at::Tensor& dweight) const override {
    const char* where = "linear_logprob";
    const bool entropy = gradient.dentropy.defined();
    table().linear_logprob_backward(head_of(head), {.lse = in(gradient.lse, where),
                                                    .entropy = entropy ? in(gradient.entropy, where) : nullptr,
                                                    .dlogprobs = in(gradient.dlogprobs, where),
                                                    .dentropy = optional_in(gradient.dentropy, where),
                                                    .dhidden = out(dhidden),
                                                    .dweight = optional_out(dweight)});
  }

  double sum_of_squares(const std::vector<at::Tensor>& buffers) const override {
    double sum = 0.0;
    for (const at::Tensor& buffer : buffers) sum += table().sum_of_squares(in(buffer, "sum_of_squares"), buffer.numel());
    return sum;
  }
  void adamw(const AdamWBuffers& b, int64_t begin, int64_t end, const kernels::AdamWStep& step) const override {
    table().adamw(out(checked(b.masters, "adamw")), in(b.gradients, "adamw"), out(b.exp_avg), out(b.exp_avg_sq), begin, end, step);
  }
};

}  // namespace

const Backend& cpu_backend() {
  static const Cpu backend;
  return backend;
}

}  // namespace grpo::ops
