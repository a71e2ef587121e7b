#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/decode_kernels.h"
#include "cpu/product.h"

// Log-probabilities of a linear head without its logits: the vocabulary is cut into slices whose packed weights and tile of logits stay in
// the cache. Each slice gives every row a maximum, a sum and a moment; the row merges them in the order of the slices.
namespace grpo::kernels::GRPO_ISA {
namespace {

using product::Packed;

constexpr int64_t kRowTile = 192;                                       // rows whose logits are held at a time
constexpr int64_t kMaxSlice = 256 / product::kPanel * product::kPanel;  // columns of a slice
constexpr int64_t kPartialBytes = int64_t{32} << 20;                    // of dhidden, in all threads together

/// As many slices for every thread, all of nearly one width.
int64_t slice_columns(int64_t limit, int64_t threads) {
  const int64_t slices = product::round_up((limit + kMaxSlice - 1) / kMaxSlice, threads);
  return product::round_up((limit + slices - 1) / slices, kLanes);
}

/// What a slice knows of a row's logits x over the temperature T: a shift, sum of e^((x - shift)/T), sum of that times (x - shift)/T.
struct SliceSums {
  float shift, sum, moment;
};

/// `padded` logits, a multiple of kLanes, those beyond the slice being -infinity. The sum runs in the order of exp_and_sum.
SliceSums sums_of(const float* logits, int64_t padded, float shift, float inverse_temperature) {
  const Vector lowest = -std::numeric_limits<float>::max() - Vector{};
  Vector sum{}, moment{};
  for (int64_t j = 0; j < padded; j += kLanes) {
    const Vector shifted = (load(logits + j) - shift) * inverse_temperature, e = exp_lanes(shifted);
    sum += e;
    moment = multiply_add(e, shifted < lowest ? lowest : shifted, moment);  // 0 where the exponential is
  }
  return {shift, sum_lanes(sum), sum_lanes(moment)};
}

/// Of a row's slices, `stride` apart: the largest shift, and logarithm of the sum and entropy beyond it.
struct RowSums {
  float shift;
  double log_sum, entropy;
};

RowSums merge(const SliceSums* slices, int64_t count, int64_t stride, float inverse_temperature) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t s = 0; s < count; ++s) top = std::max(top, slices[s * stride].shift);
  double sum = 0.0, moment = 0.0;
  for (int64_t s = 0; s < count; ++s) {
    const SliceSums& part = slices[s * stride];
    const double shift = (static_cast<double>(part.shift) - top) * inverse_temperature, scale = std::exp(shift);
    sum += scale * part.sum;
    moment += scale * (part.moment + shift * part.sum);
  }
  const double log_sum = std::log(sum);
  return {top, log_sum, log_sum - moment / sum};
}

/// What a thread keeps between blocks.
template <class P>
struct HeadScratch {
  Packed<P> head, head_rows, hidden;
  product::LineVector<typename P::Word> staged;
  product::LineVector<float> logits;
};

/// Calls work(slice, row, logits, columns, padded) for every slice and row; beyond `columns` logits are -infinity up to `padded`.
/// Within a parallel region.
template <class P, class Work>
void for_each_slice(const LogprobHead& head, int64_t width, const Work& work) {
  static thread_local HeadScratch<P> scratch;
  const int64_t slices = (head.limit + width - 1) / width;
  scratch.logits.resize(static_cast<size_t>(kRowTile * width));
#pragma omp for schedule(dynamic)
  for (int64_t s = 0; s < slices; ++s) {
    const int64_t first = s * width, columns = std::min(width, head.limit - first), padded = product::round_up(columns, kLanes);
    scratch.head.pack({head.weight, head.dim, true}, first, columns, 0, head.dim);
    for (int64_t row = 0; row < head.rows; row += kRowTile) {
      const int64_t rows = std::min(kRowTile, head.rows - row);
      product::multiply({head.hidden, head.dim, true}, row, rows, 0, scratch.head, scratch.logits.data(), width, false, scratch.staged);
      for (int64_t r = 0; r < rows; ++r) {
        float* logits = scratch.logits.data() + r * width;
        std::fill(logits + columns, logits + padded, -std::numeric_limits<float>::infinity());
        work(s, row + r, logits, columns, padded);
      }
    }
  }
}

/// In exact order one pass finds every row's maximum and one sums, in blocks as softmax_sums does; else slices sum beyond their own.
template <class P>
void forward(const LogprobHead& head, float* logprobs, float* lse, float* entropy) {
  const int64_t width = head.exact ? kSoftmaxBlock : slice_columns(head.limit, omp_get_max_threads());
  const int64_t slices = (head.limit + width - 1) / width;
  std::vector<SliceSums> sums(static_cast<size_t>(slices * head.rows));
  const auto at = [&](int64_t slice, int64_t row) -> SliceSums& { return sums[static_cast<size_t>(slice * head.rows + row)]; };
#pragma omp parallel
  {
    if (head.exact) {
      for_each_slice<P>(head, width, [&](int64_t s, int64_t row, const float* logits, int64_t, int64_t padded) {
        at(s, row).shift = row_max(logits, padded);
      });
#pragma omp for schedule(static)
      for (int64_t row = 0; row < head.rows; ++row) {
        for (int64_t s = 1; s < slices; ++s) at(0, row).shift = std::max(at(0, row).shift, at(s, row).shift);
        for (int64_t s = 1; s < slices; ++s) at(s, row).shift = at(0, row).shift;
      }
    }
    for_each_slice<P>(head, width, [&](int64_t s, int64_t row, const float* logits, int64_t columns, int64_t padded) {
      const float shift = head.exact ? at(s, row).shift : row_max(logits, padded);
      at(s, row) = sums_of(logits, padded, shift, head.inverse_temperature);
      const int64_t target = head.targets[row] - s * width;
      if (target >= 0 && target < columns) logprobs[row] = logits[target];
    });
#pragma omp for schedule(static)
    for (int64_t row = 0; row < head.rows; ++row) {
      const RowSums found = merge(&at(0, row), slices, head.rows, head.inverse_temperature);
      const double scaled = (static_cast<double>(logprobs[row]) - found.shift) * head.inverse_temperature;
      const bool masked = head.targets[row] >= head.limit;
      logprobs[row] = masked ? -std::numeric_limits<float>::infinity() : static_cast<float>(scaled - found.log_sum);
      lse[row] = static_cast<float>(static_cast<double>(found.shift) * head.inverse_temperature + found.log_sum);
      if (entropy != nullptr) entropy[row] = static_cast<float>(found.entropy);
    }
  }
}

/// Logits of a row become the gradient of dlogprob * logprob + dentropy * entropy; `target` may lie outside the slice.
void row_gradient(float* x, int64_t n, int64_t target, float inverse_temperature, float lse, float dlogprob, float dentropy,
                  float entropy) {
  // dH/dx_j = -p_j (log p_j + H) / T
  const float g = dlogprob * inverse_temperature, h = dentropy * inverse_temperature;
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    const Vector log_p = multiply_add(load(x + j), inverse_temperature, -lse);
    store(x + j, -exp_lanes(log_p) * multiply_add(log_p + entropy, h, g));
  }
  for (; j < n; ++j) {
    const float log_p = multiply_add(x[j], inverse_temperature, -lse);
    x[j] = -exp_approx(log_p) * multiply_add(log_p + entropy, h, g);
  }
  if (target >= 0 && target < n) x[target] += g;
}

/// Rows [begin, end): dweight of the thread's slices is added to, dhidden's share of the slices to `partial` [end - begin, dim].
template <class P>
void backward_slice(const LogprobHead& head, const LogprobGradient& grad, int64_t begin, int64_t end, int64_t first, int64_t columns,
                    float* partial, bool accumulate, HeadScratch<P>& scratch) {
  scratch.head.pack({head.weight, head.dim, true}, first, columns, 0, head.dim);
  scratch.head_rows.pack({head.weight + first * head.dim, head.dim, false}, 0, head.dim, 0, columns);
  scratch.logits.resize(static_cast<size_t>(kRowTile * columns));
  float* logits = scratch.logits.data();
  for (int64_t row = begin; row < end; row += kRowTile) {
    const int64_t rows = std::min(kRowTile, end - row);
    product::multiply({head.hidden, head.dim, true}, row, rows, 0, scratch.head, logits, columns, false, scratch.staged);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = row + r;
      row_gradient(logits + r * columns, columns, head.targets[i] - first, head.inverse_temperature, grad.lse[i], grad.dlogprobs[i],
                   grad.dentropy != nullptr ? grad.dentropy[i] : 0.0F, grad.dentropy != nullptr ? grad.entropy[i] : 0.0F);
    }
    product::multiply({logits, columns, true}, 0, rows, 0, scratch.head_rows, partial + (row - begin) * head.dim, head.dim, accumulate,
                      scratch.staged);
    if (grad.dweight == nullptr) continue;
    scratch.hidden.pack({head.hidden + row * head.dim, head.dim, false}, 0, head.dim, 0, rows);
    product::multiply({logits, columns, false}, 0, columns, 0, scratch.hidden, grad.dweight + first * head.dim, head.dim, true,
                      scratch.staged);
  }
}

template <class P>
void backward(const LogprobHead& head, const LogprobGradient& grad) {
  const int64_t threads = omp_get_max_threads(), width = slice_columns(head.limit, threads), slices = (head.limit + width - 1) / width;
  const int64_t row_bytes = threads * head.dim * static_cast<int64_t>(sizeof(float));
  const int64_t at_a_time = std::min(head.rows, std::max(kRowTile, kPartialBytes / row_bytes / kRowTile * kRowTile));
  std::vector<float> partials(static_cast<size_t>(threads * at_a_time * head.dim));
  for (int64_t begin = 0; begin < head.rows; begin += at_a_time) {
    const int64_t end = std::min(head.rows, begin + at_a_time), size = (end - begin) * head.dim;
#pragma omp parallel
    {
      static thread_local HeadScratch<P> scratch;
      float* partial = partials.data() + omp_get_thread_num() * size;
      bool started = false;
#pragma omp for schedule(static)
      for (int64_t s = 0; s < slices; ++s) {
        backward_slice(head, grad, begin, end, s * width, std::min(width, head.limit - s * width), partial, started, scratch);
        started = true;
      }
      if (!started) std::fill(partial, partial + size, 0.0F);
#pragma omp barrier
#pragma omp for schedule(static)
      for (int64_t i = 0; i < size; ++i) {
        float sum = 0.0F;
        for (int64_t t = 0; t < omp_get_num_threads(); ++t) sum += partials[static_cast<size_t>(t * size + i)];
        grad.dhidden[begin * head.dim + i] = sum;
      }
    }
  }
}

}  // namespace

void linear_logprob(const LogprobHead& head, float* logprobs, float* lse, float* entropy) {
  if (head.precision == Precision::kBfloat16) {
    forward<product::Bfloat16>(head, logprobs, lse, entropy);
  } else {
    forward<product::Float32>(head, logprobs, lse, entropy);
  }
}

void linear_logprob_backward(const LogprobHead& head, const LogprobGradient& grad) {
  if (head.precision == Precision::kBfloat16) {
    backward<product::Bfloat16>(head, grad);
  } else {
    backward<product::Float32>(head, grad);
  }
}

}  // namespace grpo::kernels::GRPO_ISA
