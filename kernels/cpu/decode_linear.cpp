#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

// Rows of a panel that are worked through together: they stay in the second-level cache beside a row tile's activations. Cutting the
// depth leaves the chain of multiply-adds of an output as it is, for partial sums pass through memory unrounded.
constexpr int64_t kDepthBlock = 2048;

void add_bias(const float* bias, float* y, int64_t stride, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < kTileColumns; j += kLanes) store(y + r * stride + j, load(y + r * stride + j) + load(bias + j));
  }
}

void silu_product(const float* gate_up, float* y, int64_t stride, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const Vector gate = load(gate_up + r * kTileColumns), up = load(gate_up + r * kTileColumns + kLanes);
    store(y + r * stride, gate / (1.0F + exp_lanes(-gate)) * up);
  }
}

}  // namespace

void decode_linear(const LinearPanel& panel, RowBlock x, RowBlock y, int64_t rows, bool accumulate) {
  for (int64_t k = 0; k < panel.depth; k += kDepthBlock) {
    const int64_t depth = panel.depth - k < kDepthBlock ? panel.depth - k : kDepthBlock;
    skinny_gemm<kTileRows, 2>(rows, {x.data + k, x.stride, 1}, panel.weight + k * kTileColumns, kTileColumns, y.data, y.stride, depth,
                              accumulate || k > 0);
  }
  if (panel.bias != nullptr) add_bias(panel.bias, y.data, y.stride, rows);
}

void decode_linear_swiglu(const LinearPanel& panel, RowBlock x, RowBlock y, int64_t rows) {
  float tile[kTileRows * kTileColumns];
  for (int64_t i = 0; i < rows; i += kTileRows) {
    const int64_t now = rows - i < kTileRows ? rows - i : kTileRows;
    tile_of<kTileRows, 2>(now, {x.data + i * x.stride, x.stride, 1}, panel.weight, kTileColumns, tile, kTileColumns, panel.depth, false);
    if (panel.bias != nullptr) add_bias(panel.bias, tile, kTileColumns, now);
    silu_product(tile, y.data + i * y.stride, y.stride, now);
  }
}

}  // namespace grpo::kernels::GRPO_ISA
