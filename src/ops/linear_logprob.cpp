#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "ops/check.h"
#include "ops/ops.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kChunkBytes = int64_t{16} << 20;  // of logits held at a time

int64_t chunk_rows(int64_t rows, int64_t vocab) {
  return std::clamp<int64_t>(kChunkBytes / (vocab * static_cast<int64_t>(sizeof(float))), 1, std::max<int64_t>(rows, 1));
}

/// Calls `work(begin, logits)` for each chunk of rows, logits being hidden[begin:end] W^T in one reused buffer.
template <class Work>
void for_each_chunk(const at::Tensor& hidden, const at::Tensor& weight, const Work& work) {
  const int64_t rows = hidden.size(0), vocab = weight.size(0), step = chunk_rows(rows, vocab);
  const at::Tensor buffer = at::empty({step, vocab}, hidden.options()), transposed = weight.t();
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = std::min(step, rows - begin);
    at::Tensor logits = buffer.narrow(0, 0, count);
    at::mm_out(logits, hidden.narrow(0, begin, count), transposed);
    work(begin, logits);
  }
}

float* row_pointer(at::Tensor& t, int64_t row) { return t.defined() && t.numel() > 0 ? t.mutable_data_ptr<float>() + row : nullptr; }

struct LinearLogprob : torch::autograd::Function<LinearLogprob> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                               double temperature, int64_t limit, bool with_entropy) {
    checked(hidden, "linear_logprob");
    checked(weight, "linear_logprob");
    GRPO_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && targets.numel() == hidden.size(0),
               "linear_logprob", "expected hidden [M, D], weight [V, D] and M targets");
    const int64_t rows = hidden.size(0), vocab = weight.size(0);
    const auto* ids = targets.const_data_ptr<int32_t>();
    GRPO_CHECK(std::all_of(ids, ids + rows, [&](int32_t id) { return id >= 0 && id < vocab; }), "linear_logprob",
               "expected target ids below " + std::to_string(vocab));
    at::Tensor logprobs = at::empty({rows}, hidden.options()), lse = at::empty_like(logprobs);
    at::Tensor entropy = at::empty({with_entropy ? rows : 0}, hidden.options());  // autograd functions give no undefined tensors
    const auto inverse = static_cast<float>(1.0 / temperature);
    for_each_chunk(hidden, weight, [&](int64_t begin, at::Tensor& logits) {
      train_kernels().token_logprob(in(logits, "linear_logprob"), ids + begin, row_pointer(logprobs, begin), row_pointer(lse, begin),
                                    row_pointer(entropy, begin), logits.size(0), vocab, limit, inverse);
    });
    ctx->save_for_backward({hidden, weight, targets, lse, entropy});
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["limit"] = limit;
    ctx->set_materialize_grads(false);
    return {logprobs, entropy};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight = saved[1], &targets = saved[2];
    at::Tensor lse = saved[3], entropy = saved[4];
    at::Tensor dlogprobs = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(lse);
    at::Tensor dentropy = grads[1].defined() ? grads[1].contiguous() : at::Tensor();
    at::Tensor dhidden = at::empty_like(hidden), dweight = at::zeros_like(weight);
    const auto inverse = static_cast<float>(1.0 / ctx->saved_data["temperature"].toDouble());
    const int64_t limit = ctx->saved_data["limit"].toInt();
    for_each_chunk(hidden, weight, [&](int64_t begin, at::Tensor& logits) {
      train_kernels().token_logprob_backward(out(logits), targets.const_data_ptr<int32_t>() + begin, row_pointer(lse, begin),
                                             dentropy.defined() ? row_pointer(entropy, begin) : nullptr, row_pointer(dlogprobs, begin),
                                             row_pointer(dentropy, begin), logits.size(0), weight.size(0), limit, inverse);
      at::Tensor part = dhidden.narrow(0, begin, logits.size(0));
      at::mm_out(part, logits, weight);
      dweight.addmm_(logits.t(), hidden.narrow(0, begin, logits.size(0)));
    });
    return {dhidden, dweight, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

LinearLogprobOutput linear_logprob(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, double temperature,
                                   int64_t limit, bool entropy) {
  GRPO_CHECK(temperature > 0.0, "linear_logprob", "expected a temperature above 0; got " + std::to_string(temperature));
  GRPO_CHECK(limit > 0 && limit <= weight.size(0), "linear_logprob",
             "expected a vocabulary limit within the head's rows; got " + std::to_string(limit));
  auto result = LinearLogprob::apply(hidden, weight, targets, temperature, limit, entropy);
  return {result[0], entropy ? result[1] : at::Tensor()};
}

}  // namespace grpo::ops
