#pragma once

#include "ops/ops.h"

// What the ops ask of a device. Their arguments are checked, contiguous, on the back end's device and of a type that it computes in; what
// the comments do not say is as in ops.h.
namespace grpo::ops {

/// A matrix, rows of which may lie apart (some columns of a larger one), or its transpose.
struct Operand {
  const at::Tensor& matrix;
  bool transposed = false;
};

/// Of qk_norm_rope; norms without elements are absent.
struct QkNormInput {
  at::Tensor qkv, q_norm, k_norm, cos, sin, positions;
  at::Tensor rstd;  // float32 [N, H+K] where there are norms
  HeadLayout heads;
};

/// out [N, H d], and what the back end wants back of its log-sum-exps.
struct AttentionOutput {
  at::Tensor out, lse;
};

struct HeadInput {
  at::Tensor hidden, weight, targets;
  double temperature = 1.0;
  int64_t limit = 0;
  kernels::Precision precision = kernels::Precision::kFloat32;
  bool exact = false;
};
/// All float32 [M]; entropy has no elements where it is not asked for.
struct HeadOutput {
  at::Tensor logprobs, lse, entropy;
};
struct HeadGradient {
  at::Tensor lse, entropy;         // of the forward
  at::Tensor dlogprobs, dentropy;  // float32 [M]; dentropy may be undefined
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual bool computes(at::ScalarType type) const = 0;

  /// c = a b, added to c where `accumulate`; rows of c may lie apart.
  virtual void product(const Operand& a, const Operand& b, at::Tensor& c, bool accumulate, kernels::Precision precision) const = 0;

  /// rstd float32 [N].
  virtual void rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& y, at::Tensor& rstd) const = 0;
  /// dweight float32 [D] is added to.
  virtual void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                                 at::Tensor& dx, at::Tensor& dweight) const = 0;

  virtual void qk_norm_rope(const QkNormInput& in, double eps, at::Tensor& out) const = 0;
  /// dq and dk float32 [d] are added to where there are norms.
  virtual void qk_norm_rope_backward(const at::Tensor& dout, const QkNormInput& in, at::Tensor& dqkv, at::Tensor& dq,
                                     at::Tensor& dk) const = 0;

  virtual AttentionOutput attention(const at::Tensor& qkv, const AttentionPlan& plan, const HeadLayout& heads) const = 0;
  virtual at::Tensor attention_backward(const at::Tensor& dout, const at::Tensor& qkv, const AttentionOutput& forward,
                                        const AttentionPlan& plan, const HeadLayout& heads) const = 0;

  virtual void swiglu(const at::Tensor& gate_up, at::Tensor& y) const = 0;
  virtual void swiglu_backward(const at::Tensor& dy, const at::Tensor& gate_up, at::Tensor& dgate_up) const = 0;

  virtual at::Tensor gather_rows(const at::Tensor& table, const RowIndex& index) const = 0;
  virtual void add_rows(const at::Tensor& rows, const RowIndex& index, at::Tensor table) const = 0;

  virtual void linear_logprob(const HeadInput& in, HeadOutput& out) const = 0;
  /// dhidden is written, dweight added to where it is defined.
  virtual void linear_logprob_backward(const HeadInput& in, const HeadGradient& gradient, at::Tensor& dhidden,
                                       at::Tensor& dweight) const = 0;

  virtual double sum_of_squares(const std::vector<at::Tensor>& buffers) const = 0;
  virtual void adamw(const AdamWBuffers& buffers, int64_t begin, int64_t end, const kernels::AdamWStep& step) const = 0;
};

const Backend& cpu_backend();
/// The build with CUDA has it, and tests that execute its kernels on the host.
const Backend& cuda_backend();
/// The one that computes on `device`: cuda_torch.cpp, or no_cuda.cpp.
const Backend& backend(at::Device device);

inline const Backend& backend(const at::Tensor& t) { return backend(t.device()); }

/// The values on the device.
at::Tensor upload(const std::vector<int32_t>& values, at::Device device);
at::Tensor upload(const std::vector<int64_t>& values, at::Device device);

}  // namespace grpo::ops
