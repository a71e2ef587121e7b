#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "dispatch.h"
#include "grpo/core/error.h"
#include "train.h"

namespace grpo::ops {

/// Kernels take float32, contiguous memory on the CPU; anything else is refused here with the op's name.
inline const at::Tensor& checked(const at::Tensor& t, const char* where) {
  GRPO_CHECK(t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous(), where,
             "expected a contiguous float32 tensor on the CPU; got " + t.toString() + " on " + t.device().str());
  return t;
}

inline const float* in(const at::Tensor& t, const char* where) { return checked(t, where).const_data_ptr<float>(); }
inline float* out(at::Tensor& t) { return t.mutable_data_ptr<float>(); }

inline const kernels::TrainKernels& train_kernels() { return *kernels::cpu_kernels().train; }

}  // namespace grpo::ops
