// The CUDA back end without a GPU: its kernels run on the host (kernels/cuda/host), tensors of the CPU lie in "the GPU's" memory while an
// `At` of a CUDA place lives, and flash attention is written out in float64. Takes the place of src/ops/cuda_torch.cpp; this program's
// definitions go before those of libgrpo, which was built without CUDA.
#include <ATen/ATen.h>

#include "cuda/host/fibers.h"
#include "ops/backend.h"
#include "ops/cuda_torch.h"
#include "support/place.h"

namespace grpo {
namespace {

bool emulating = false, flash_allowed = true;

/// [H, q, k] scores of one sequence, -infinity where a query does not see a key.
at::Tensor scores_of(const at::Tensor& query, const at::Tensor& key, const ops::FlashInput& in) {
  at::Tensor scores = at::matmul(query, key.transpose(1, 2)) * in.scale;
  if (!in.causal) return scores;
  const at::Tensor ones = at::ones({query.size(1), key.size(1)}, at::kBool);
  at::Tensor seen = ones.tril();
  if (in.window > 0) seen = seen.logical_and(ones.triu(1 - in.window));
  return scores.masked_fill(seen.logical_not(), -INFINITY);
}

/// One sequence's rows as [H, rows, d] in float64, each key-value head once for each of its query heads.
at::Tensor rows_of(const at::Tensor& packed, const at::Tensor& offsets, int64_t u, int64_t repeat) {
  const auto* at = offsets.const_data_ptr<int32_t>();
  return packed.narrow(0, at[u], at[u + 1] - at[u]).to(at::kDouble).transpose(0, 1).repeat_interleave(repeat, 0);
}

void check(const ops::FlashInput& in) {
  TORCH_CHECK(in.query.scalar_type() == at::kBFloat16 && in.query.stride(2) == 1 && in.key.stride(2) == 1 && in.value.stride(2) == 1);
  TORCH_CHECK(in.query_offsets.scalar_type() == at::kInt && in.query_offsets.numel() == in.key_offsets.numel());
  for (const auto& [offsets, longest] : {std::pair(in.query_offsets, in.longest_query), std::pair(in.key_offsets, in.longest_key)}) {
    TORCH_CHECK(offsets.diff().max().item<int64_t>() == longest);
  }
}

}  // namespace

namespace ops {

bool on_cuda(at::Device /*device*/) { return emulating; }
bool has_cuda() { return emulating; }
at::Device cuda_device() { return at::kCPU; }
std::vector<std::string> device_names() { return {"cpu", "host"}; }
const Backend& backend(at::Device /*device*/) { return emulating ? cuda_backend() : cpu_backend(); }
CUstream_st* current_stream() { return nullptr; }  // work is done at once, as torch's operators on the CPU do theirs
bool has_flash() { return flash_allowed; }

FlashOutput flash_forward(const FlashInput& in) {
  check(in);
  const int64_t repeat = in.query.size(1) / in.key.size(1);
  FlashOutput result{at::empty(in.query.sizes(), in.query.options()), at::empty({in.query.size(1), in.query.size(0)}, at::kFloat)};
  for (int64_t u = 0; u + 1 < in.query_offsets.numel(); ++u) {
    const at::Tensor scores = scores_of(rows_of(in.query, in.query_offsets, u, 1), rows_of(in.key, in.key_offsets, u, repeat), in);
    const int64_t begin = in.query_offsets[u].item<int64_t>(), rows = scores.size(1);
    const at::Tensor out = at::matmul(scores.softmax(-1), rows_of(in.value, in.key_offsets, u, repeat)).transpose(0, 1);
    result.out.narrow(0, begin, rows).copy_(out);
    result.lse.narrow(1, begin, rows).copy_(scores.logsumexp(-1));
  }
  return result;
}

FlashGradient flash_backward(const FlashInput& in, const at::Tensor& dout, const FlashOutput& forward) {
  check(in);
  const int64_t kv_heads = in.key.size(1), repeat = in.query.size(1) / kv_heads;
  FlashGradient gradient{at::empty(in.query.sizes(), in.query.options()), at::empty(in.key.sizes(), in.key.options()),
                         at::empty(in.value.sizes(), in.value.options())};
  for (int64_t u = 0; u + 1 < in.query_offsets.numel(); ++u) {
    const at::Tensor q = rows_of(in.query, in.query_offsets, u, 1), k = rows_of(in.key, in.key_offsets, u, repeat),
                     v = rows_of(in.value, in.key_offsets, u, repeat), d = rows_of(dout, in.query_offsets, u, 1),
                     out = rows_of(forward.out, in.query_offsets, u, 1);
    const int64_t begin = in.query_offsets[u].item<int64_t>(), first = in.key_offsets[u].item<int64_t>(), rows = q.size(1),
                  keys = k.size(1);
    const at::Tensor p = (scores_of(q, k, in) - forward.lse.narrow(1, begin, rows).unsqueeze(-1)).exp();
    const at::Tensor ds = p * (at::matmul(d, v.transpose(1, 2)) - (d * out).sum(-1, true)) * in.scale;
    const auto of_heads = [&](const at::Tensor& each) {  // [H, keys, d] summed over the query heads of a key-value head
      return each.view({kv_heads, repeat, keys, -1}).sum(1).transpose(0, 1);
    };
    gradient.query.narrow(0, begin, rows).copy_(at::matmul(ds, k).transpose(0, 1));
    gradient.key.narrow(0, first, keys).copy_(of_heads(at::matmul(ds.transpose(1, 2), q)));
    gradient.value.narrow(0, first, keys).copy_(of_heads(at::matmul(p.transpose(1, 2), d)));
  }
  return gradient;
}

}  // namespace ops

namespace testing {

std::vector<Place> places() { return {{"Cuda", at::kCPU, at::kFloat, true}, {"CudaBf16", at::kCPU, at::kBFloat16, true}}; }
At::At(const Place& place) { emulating = place.on_cuda; }
At::~At() { emulating = false; }
void set_order(uint64_t seed) { kernels::host::set_order(seed); }
void allow_flash(bool allowed) { flash_allowed = allowed; }

}  // namespace testing
}  // namespace grpo
