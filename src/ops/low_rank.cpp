#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/check.h"
#include "ops/ops.h"

namespace grpo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Some columns or rows of a matrix.
struct Part {
  float* data;
  int64_t stride;
};

Part part(const at::Tensor& t, int64_t row, int64_t column) {
  checked(t, "add_low_rank");
  return {static_cast<float*>(t.data_ptr()) + row * t.size(1) + column, t.size(1)};
}

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
    const int64_t rows = x.size(0), width = a.size(0), rank = b.size(1);
    const auto product = train_kernels().product;
    at::Tensor low = at::empty({rows, width}, x.options());  // scale · x Aᵀ
    product({in(x, "add_low_rank"), x.size(1), true}, {in(a, "add_low_rank"), a.size(1), true}, out(low), width, {rows, width, x.size(1)},
            false, options.precision);
    low.mul_(scale);
    for_pieces(bounds, rank, [&](int64_t begin, int64_t outputs, int64_t b_row, int64_t column) {
      const Part to = part(y, 0, begin), h = part(low, 0, column), w = part(b, b_row, 0);
      product({h.data, h.stride, true}, {w.data, w.stride, true}, to.data, to.stride, {rows, outputs, rank}, true, options.precision);
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
    const auto product = train_kernels().product;
    const int64_t rows = x.size(0), depth = x.size(1), width = a.size(0), rank = b.size(1);
    at::Tensor dlow = at::empty_like(low), dx = at::empty_like(x), da = into_grad ? a.grad() : at::empty_like(a),
               db = into_grad ? b.grad() : at::empty_like(b);
    for_pieces(bounds, rank, [&](int64_t begin, int64_t outputs, int64_t b_row, int64_t column) {
      const Part from = part(dy, 0, begin), h = part(low, 0, column), w = part(b, b_row, 0), dh = part(dlow, 0, column),
                 dw = part(db, b_row, 0);
      product({from.data, from.stride, true}, {w.data, w.stride, false}, dh.data, dh.stride, {rows, rank, outputs}, false, precision);
      product({from.data, from.stride, false}, {h.data, h.stride, false}, dw.data, dw.stride, {outputs, rank, rows}, into_grad, precision);
    });
    dlow.mul_(ctx->saved_data["scale"].toDouble());
    const float* d = in(dlow, "add_low_rank");
    product({d, width, false}, {in(x, "add_low_rank"), depth, false}, out(da), depth, {width, depth, rows}, into_grad, precision);
    product({d, width, true}, {in(a, "add_low_rank"), depth, false}, out(dx), depth, {rows, depth, width}, false, precision);
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
