#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "grpo/core/error.h"
#include "ops/backend.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls f(piece's first output, its outputs, its first row of B, its first row of A).
template <class F>
void for_pieces(const std::vector<int64_t>& bounds, int64_t rank, const F& f) {
  int64_t b_row = 0, low = 0;
  for (size_t i = 0; i < bounds.size(); i += 2, low += rank) {
    const int64_t outputs = bounds[i + 1] - bounds[i];
    f(bounds[i], outputs, b_row, low);
    b_row += outputs;
  }
}

struct AddLowRank : torch::autograd::Function<AddLowRank> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& y, const at::Tensor& x, const at::Tensor& a, const at::Tensor& b,
                            const std::vector<int64_t>& bounds, double scale, const ProductOptions& options) {
    const Backend& there = backend(x);
    at::Tensor low = at::empty({x.size(0), a.size(0)}, x.options());  // scale · x Aᵀ
    there.product({x}, {a, true}, low, false, options.precision);
    low.mul_(scale);
    const int64_t rank = b.size(1);
    for_pieces(bounds, rank, [&](int64_t begin, int64_t outputs, int64_t b_row, int64_t column) {
      at::Tensor to = y.narrow(1, begin, outputs);
      there.product({low.narrow(1, column, rank)}, {b.narrow(0, b_row, outputs), true}, to, true, options.precision);
    });
    ctx->mark_dirty({y});
    ctx->save_for_backward({x, a, b, low});
    ctx->saved_data["bounds"] = bounds;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["bf16"] = options.precision == kernels::Precision::kBfloat16;
    ctx->saved_data["into_grad"] = options.into_grad;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &a = saved[1], &b = saved[2], &low = saved[3], dy = grads[0].contiguous();
    const auto bounds = ctx->saved_data["bounds"].toIntVector();
    const auto precision = ctx->saved_data["bf16"].toBool() ? kernels::Precision::kBfloat16 : kernels::Precision::kFloat32;
    const bool into_grad = ctx->saved_data["into_grad"].toBool();
    const Backend& there = backend(x);
    const int64_t rank = b.size(1);
    at::Tensor dlow = at::empty_like(low), dx = at::empty_like(x), da = into_grad ? a.grad() : at::empty_like(a),
               db = into_grad ? b.grad() : at::empty_like(b);
    for_pieces(bounds, rank, [&](int64_t begin, int64_t outputs, int64_t b_row, int64_t column) {
      const at::Tensor from = dy.narrow(1, begin, outputs);
      at::Tensor dh = dlow.narrow(1, column, rank), dw = db.narrow(0, b_row, outputs);
      there.product({from}, {b.narrow(0, b_row, outputs)}, dh, false, precision);
      there.product({from, true}, {low.narrow(1, column, rank)}, dw, into_grad, precision);
    });
    dlow.mul_(ctx->saved_data["scale"].toDouble());
    there.product({dlow, true}, {x}, da, into_grad, precision);
    there.product({dlow}, {a}, dx, false, precision);
    if (into_grad) da = db = at::Tensor();
    return {dy, dx, da, db, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor add_low_rank(const at::Tensor& y, const at::Tensor& x, const LowRank& adapter, const ProductOptions& options) {
  const at::Tensor &a = adapter.a, &b = adapter.b;
  GRPO_CHECK(x.dim() == 2 && y.dim() == 2 && a.dim() == 2 && b.dim() == 2 && x.size(0) == y.size(0) && a.size(1) == x.size(1) &&
                 a.size(0) == static_cast<int64_t>(adapter.pieces.size()) * b.size(1),
             "add_low_rank", "expected y [N, out], x [N, in], a [pieces · rank, in] and b [outputs, rank]");
  std::vector<int64_t> bounds;
  int64_t outputs = 0;
  for (const auto& [begin, end] : adapter.pieces) {
    GRPO_CHECK(begin >= 0 && begin < end && end <= y.size(1), "add_low_rank", "expected pieces within y's columns");
    bounds.insert(bounds.end(), {begin, end});
    outputs += end - begin;
  }
  GRPO_CHECK(outputs == b.size(0), "add_low_rank", "expected a row of b for each output of the pieces");
  return AddLowRank::apply(y, x, a, b, bounds, adapter.scale, options);
}

}  // namespace grpo::ops
