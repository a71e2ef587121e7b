#pragma once

#include "../train_cuda.h"
#include "runtime.cuh"

// Each train_*.cu fills its part of the table, for float and bf16.
namespace grpo::kernels {

template <class T>
void add_norm_kernels(CudaTrainKernels& table);
template <class T>
void add_attention_kernels(CudaTrainKernels& table);
template <class T>
void add_pointwise_kernels(CudaTrainKernels& table);
template <class T>
void add_logprob_kernels(CudaTrainKernels& table);
template <class T>
void add_update_kernels(CudaTrainKernels& table);

/// Blocks along x for n pieces of work.
inline dim3 grid_of(int64_t n, int64_t along_y = 1) { return dim3(static_cast<unsigned>(n), static_cast<unsigned>(along_y)); }

}  // namespace grpo::kernels
