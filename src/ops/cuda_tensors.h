#pragma once

#include <ATen/core/Tensor.h>

#include "device.h"
#include "grpo/core/error.h"
#include "train_cuda.h"

// Tensors as CUDA's launchers want them.
namespace grpo::ops {

inline device::Element element_of(const at::Tensor& t) {
  GRPO_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16, "ops (CUDA)",
             "expected float32 or bfloat16; got " + t.toString());
  return t.scalar_type() == at::kFloat ? device::Element::kF32 : device::Element::kBF16;
}

/// The kernels of a tensor's type.
inline const kernels::CudaTrainKernels& kernels_of(const at::Tensor& t) { return kernels::cuda_train_kernels(element_of(t)); }

/// Of a contiguous tensor that has the type of `like`.
inline const void* in(const at::Tensor& t, const at::Tensor& like) {
  GRPO_CHECK(t.is_contiguous() && t.scalar_type() == like.scalar_type() && t.device() == like.device(), "ops (CUDA)",
             "expected a contiguous tensor like " + like.toString() + " on " + like.device().str() + "; got " + t.toString() + " on " +
                 t.device().str());
  return t.const_data_ptr();
}
inline void* out(const at::Tensor& t, const at::Tensor& like) { return const_cast<void*>(in(t, like)); }

/// Null for an absent one, which is undefined or empty.
template <class T>
T* optional_data(const at::Tensor& t) {
  return t.defined() && t.numel() > 0 ? t.mutable_data_ptr<T>() : nullptr;
}

}  // namespace grpo::ops
