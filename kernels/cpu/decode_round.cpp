#include "cpu/decode_kernels.h"

namespace grpo::kernels::GRPO_ISA {
namespace {

// Adding and taking away this number rounds a float of up to 2^22 to nearest even; its sum's low bits are the integer.
constexpr float kRounder = 12582912.0F;

// Below this magnitude the reciprocal of a row's scale would overflow.
constexpr float kNothing = 1e-30F;

// The largest magnitude; NaN where an element is not finite.
float largest_magnitude(const float* x, int64_t dim) {
  Vector top{}, poison{};
  int64_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    const Vector v = load(x + i), magnitude = v < 0.0F ? -v : v;
    top = magnitude > top ? magnitude : top;
    poison += v * 0.0F;
  }
  float lanes[kLanes];
  store(lanes, top);
  float best = row_max(lanes, kLanes), bad = sum_lanes(poison);
  for (; i < dim; ++i) {
    best = std::max(best, __builtin_fabsf(x[i]));
    bad += x[i] * 0.0F;
  }
  return best + bad;
}

}  // namespace

template <class Dot>
void expand_row(uint32_t* words, int64_t count) {
  if constexpr (1 < kInputWords<Dot>) {
    for (int64_t w = count; w-- > 0;) {  // from the end: what a word becomes lies behind all words before it
      const typename Dot::Input input = Dot::expand(words[w]);
      std::memcpy(words + w * kInputWords<Dot>, &input, sizeof input);
    }
  }
}

template void expand_row<FloatDot>(uint32_t*, int64_t);
template void expand_row<Bfloat16Dot>(uint32_t*, int64_t);
template void expand_row<Int8Dot>(uint32_t*, int64_t);

void round_row_float32(const float* x, int64_t dim, uint32_t* words, RowScale*) {
  std::memcpy(words, x, static_cast<size_t>(dim) * sizeof(float));
}

void round_row_bfloat16(const float* x, int64_t dim, uint32_t* words, RowScale*) {
  auto* halves = reinterpret_cast<uint16_t*>(words);
  for (int64_t i = 0; i < dim; ++i) halves[i] = to_bfloat16(x[i]);
  if (dim % 2 != 0) halves[dim] = 0;
}

void round_row_int8(const float* x, int64_t dim, uint32_t* words, RowScale* scale) {
  const float largest = largest_magnitude(x, dim);
  const float inverse = largest >= kNothing ? 127.0F / largest : 0.0F;  // also 0 for NaN
  auto* bytes = reinterpret_cast<int8_t*>(words);
  int32_t sum = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float shifted = multiply_add(x[i], inverse, kRounder);
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    const auto byte = static_cast<int8_t>(bits);
    bytes[i] = byte;
    sum += byte;
  }
  for (int64_t i = dim; i % 4 != 0; ++i) bytes[i] = 0;
  *scale = {largest < kNothing ? 0.0F : largest / 127.0F, 128 * sum};
}

}  // namespace grpo::kernels::GRPO_ISA
