#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::vector<int64_t> sorted_order(const std::vector<int32_t>& ids) {
  std::vector<int64_t> order(ids.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, {}, [&ids](int64_t i) { return ids[static_cast<size_t>(i)]; });
  return order;
}

struct Gather : torch::autograd::Function<Gather> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& table, const RowIndex& index) {
    GRPO_CHECK(table.dim() == 2, "gather_rows", "expected a table [rows, D]");
    ctx->save_for_backward({table, index.ids, index.order});
    return backend(table).gather_rows(table, index);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (!ctx->needs_input_grad(0)) return {at::Tensor(), at::Tensor()};
    const auto saved = ctx->get_saved_variables();
    RowIndex index({}, at::kCPU);
    index.ids = saved[1];
    index.order = saved[2];
    const at::Tensor dtable = at::zeros_like(saved[0]);
    add_rows(grads[0], index, dtable);
    return {dtable, at::Tensor()};
  }
};

}  // namespace

RowIndex::RowIndex(const std::vector<int32_t>& rows, at::Device device) : ids(upload(rows, device)) {
  if (on_cuda(device)) order = upload(sorted_order(rows), device);
}

at::Tensor gather_rows(const at::Tensor& table, const RowIndex& index) { return Gather::apply(table, index); }

void add_rows(const at::Tensor& rows, const RowIndex& index, const at::Tensor& table) {
  GRPO_CHECK(rows.dim() == 2 && table.dim() == 2 && rows.size(1) == table.size(1) && rows.size(0) == index.ids.numel(), "add_rows",
             "expected rows [N, D], N ids and a table [rows, D]");
  backend(table).add_rows(rows.contiguous(), index, table);
}

}  // namespace grpo::ops
