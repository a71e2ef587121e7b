#include <omp.h>

#include <limits>

#include "cpu/product.h"
#include "cpu/train_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

using product::round_up;

// What of B is packed at a time, for blocks of rows to go through.
constexpr int64_t kColumns = 384, kDepth = 768;  // words

/// A grid of blocks of C; each thread takes whole blocks.
struct Grid {
  int64_t rows, columns;  // of a block
  int64_t row_blocks, column_blocks;
};

int64_t blocks_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

/// Of the grids that give every thread work, the one with the fewest elements to stage: a block stages its rows of A and columns of B.
Grid grid_of(const ProductShape& shape, int64_t threads) {
  const int64_t wanted = threads > 1 ? 2 * threads : 1, fewest = blocks_of(shape.columns, kColumns);
  Grid best{};
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t wide = fewest; wide <= std::max(fewest, wanted); ++wide) {
    const int64_t columns = round_up(blocks_of(shape.columns, wide), product::kPanel);
    const int64_t rows = round_up(blocks_of(shape.rows, blocks_of(wanted, wide)), kTileRows);
    const Grid grid{rows, columns, blocks_of(shape.rows, rows), blocks_of(shape.columns, columns)};
    const int64_t staged = grid.row_blocks * shape.columns + grid.column_blocks * shape.rows;
    if (staged >= least) continue;
    least = staged;
    best = grid;
  }
  return best;
}

template <class P>
struct ProductScratch {
  product::Packed<P> packed;
  product::LineVector<typename P::Word> staged;
};

template <class P>
void run(const MatrixView& a, const MatrixView& b, float* c, int64_t ldc, const ProductShape& shape, bool accumulate) {
  const Grid grid = grid_of(shape, omp_get_max_threads());
#pragma omp parallel
  {
    static thread_local ProductScratch<P> scratch;
#pragma omp for schedule(dynamic)
    for (int64_t block = 0; block < grid.row_blocks * grid.column_blocks; ++block) {
      const int64_t row = block % grid.row_blocks * grid.rows, column = block / grid.row_blocks * grid.columns;
      const int64_t rows = std::min(grid.rows, shape.rows - row), columns = std::min(grid.columns, shape.columns - column);
      for (int64_t k = 0; k < shape.depth; k += kDepth * P::kPerWord) {
        scratch.packed.pack(b, column, columns, k, std::min(kDepth * P::kPerWord, shape.depth - k));
        product::multiply(a, row, rows, k, scratch.packed, c + row * ldc + column, ldc, accumulate || k > 0, scratch.staged);
      }
    }
  }
}

}  // namespace

void matrix_product(const MatrixView& a, const MatrixView& b, float* c, int64_t ldc, const ProductShape& shape, bool accumulate,
                    Precision precision) {
  if (precision == Precision::kBfloat16) {
    run<product::Bfloat16>(a, b, c, ldc, shape, accumulate);
  } else {
    run<product::Float32>(a, b, c, ldc, shape, accumulate);
  }
}

}  // namespace grpo::kernels::GRPO_ISA
