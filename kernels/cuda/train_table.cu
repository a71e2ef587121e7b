#include "train_kernels.cuh"

namespace grpo::kernels {
namespace {

template <class T>
CudaTrainKernels make_table() {
  CudaTrainKernels table{};
  add_norm_kernels<T>(table);
  add_attention_kernels<T>(table);
  add_pointwise_kernels<T>(table);
  add_logprob_kernels<T>(table);
  add_update_kernels<T>(table);
  return table;
}

}  // namespace

const CudaTrainKernels& cuda_train_kernels(device::Element element) {
  static const CudaTrainKernels f32 = make_table<float>(), half = make_table<bf16>();
  return element == device::Element::kF32 ? f32 : half;
}

}  // namespace grpo::kernels
