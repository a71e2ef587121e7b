// Oracle: plain loops in double over random shapes and values drawn afresh, for every instruction set of this machine.
#include <bit>
#include <limits>

#include "train_support.h"

namespace grpo::kernels {
namespace {

class Products : public Train {};

float rounded_to(float x, Precision precision) {  // to bf16, ties to even, by the definition: the nearer of the two neighbours
  if (precision == Precision::kFloat32 || x == 0.0F) return x;
  int exponent = 0;
  const double mantissa = std::frexp(static_cast<double>(x), &exponent);
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(mantissa, 8)), exponent - 8));
}

Floats rounded_to(Floats x, Precision precision) {
  for (float& v : x) v = rounded_to(v, precision);
  return x;
}

/// An operand [outer, depth] laid out either way, with a stride of its own.
struct Operand {
  Floats values;  // [outer, depth]
  Floats memory;
  MatrixView view{};
  Operand(int64_t outer, int64_t depth) : values(randoms(outer * depth)) {
    const bool contiguous = between(0, 1) == 0;
    const int64_t stride = (contiguous ? depth : outer) + between(0, 5);
    memory = randoms((contiguous ? outer : depth) * stride);
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t k = 0; k < depth; ++k)
        memory[static_cast<size_t>(contiguous ? o * stride + k : k * stride + o)] = values[static_cast<size_t>(o * depth + k)];
    }
    view = {memory.data(), stride, contiguous};
  }
};

TEST_P(Products, ProductOfRoundedOperands) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    for (int round = 0; round < 12; ++round) {
      const int64_t rows = between(1, 150), columns = between(1, round % 4 == 0 ? 1100 : 70),
                    depth = between(1, round % 3 == 0 ? 1100 : 40);
      SCOPED_TRACE(::testing::Message() << "seed " << seed() << " rows " << rows << " columns " << columns << " depth " << depth);
      const Operand a(rows, depth), b(columns, depth);
      const int64_t ldc = columns + between(0, 3);
      Floats c = randoms(rows * ldc);
      const Floats before = c, left = rounded_to(a.values, precision), right = rounded_to(b.values, precision);
      const bool accumulate = between(0, 1) == 1;
      kernels().product(a.view, b.view, c.data(), ldc, {rows, columns, depth}, accumulate, precision);
      std::vector<double> expected(before.begin(), before.end());
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          double& sum = expected[static_cast<size_t>(i * ldc + j)];
          if (!accumulate) sum = 0.0;
          for (int64_t k = 0; k < depth; ++k)
            sum += static_cast<double>(left[static_cast<size_t>(i * depth + k)]) * right[static_cast<size_t>(j * depth + k)];
        }
      }
      expect_near(c, expected, 1e-5 * std::sqrt(static_cast<double>(depth)), "c");
    }
  }
}

TEST_P(Products, ProductKeepsWhatIsNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    for (const float value : {kNan, -kNan, std::bit_cast<float>(0x7FFFFFFFU), kInfinity, -kInfinity}) {
      const Floats a = {value, 1.0F, 2.0F}, b = {1.0F, 0.5F, 0.5F};
      float c = 0.0F;
      kernels().product({a.data(), 3, true}, {b.data(), 1, false}, &c, 1, {1, 1, 3}, false, precision);
      EXPECT_EQ(std::isnan(c), std::isnan(value));
      if (!std::isnan(value)) {
        EXPECT_EQ(c, value);
      }
    }
  }
}

struct TokenCase {
  int64_t rows = between(1, 400), dim = between(1, 40), vocab = between(2, 600), limit = between(1, vocab);
  float inverse_temperature = 0.8F;
  Floats hidden, weight;
  std::vector<int32_t> targets;
  explicit TokenCase(Precision precision)
      : hidden(rounded_to(randoms(rows * dim, 0.7F), precision)), weight(rounded_to(randoms(vocab * dim, 0.7F), precision)) {
    for (int64_t r = 0; r < rows; ++r) targets.push_back(static_cast<int32_t>(between(0, limit - 1)));
  }
  LogprobHead head(Precision precision) const {
    return {hidden.data(), weight.data(), targets.data(), rows, dim, limit, inverse_temperature, precision};
  }
  std::vector<double> log_softmax(int64_t row) const {
    std::vector<double> x;
    double sum = 0.0;
    for (int64_t j = 0; j < limit; ++j) {
      double logit = 0.0;
      for (int64_t k = 0; k < dim; ++k)
        logit += static_cast<double>(hidden[static_cast<size_t>(row * dim + k)]) * weight[static_cast<size_t>(j * dim + k)];
      x.push_back(logit * static_cast<double>(inverse_temperature));
      sum += std::exp(x.back());
    }
    for (auto& v : x) v -= std::log(sum);
    return x;
  }
};

double entropy_of(const std::vector<double>& log_p) {
  double h = 0.0;
  for (const double lp : log_p) h -= std::exp(lp) * lp;
  return h;
}

/// dlogits [rows, limit] in double.
std::vector<double> logit_gradient(const TokenCase& c, const Floats& g, const Floats& h) {
  std::vector<double> result;
  for (int64_t r = 0; r < c.rows; ++r) {
    const auto lp = c.log_softmax(r);
    const double entropy = entropy_of(lp), weight = g[static_cast<size_t>(r)], pull = h[static_cast<size_t>(r)];
    for (int64_t j = 0; j < c.limit; ++j) {
      const double p = std::exp(lp[static_cast<size_t>(j)]), one = j == c.targets[static_cast<size_t>(r)] ? 1.0 : 0.0;
      result.push_back(static_cast<double>(c.inverse_temperature) *
                       (weight * (one - p) - pull * p * (lp[static_cast<size_t>(j)] + entropy)));
    }
  }
  return result;
}

void expect_within(const Floats& got, const std::vector<double>& expected, const std::vector<double>& size, double rounding,
                   const char* what) {
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], rounding * size[i] + 1e-4 * (1.0 + std::abs(expected[i]))) << what << " element " << i;
  }
}

TEST_P(Products, LinearLogprobAndEntropyWithBackward) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16, Precision::kFloat32, Precision::kBfloat16}) {
    const TokenCase c(precision);
    SCOPED_TRACE(::testing::Message() << "seed " << seed() << " rows " << c.rows << " dim " << c.dim << " limit " << c.limit);
    const auto rows = static_cast<size_t>(c.rows);
    Floats logprobs(rows), lse(rows), entropy(rows);
    const Floats g = randoms(c.rows), h = randoms(c.rows);
    kernels().linear_logprob(c.head(precision), logprobs.data(), lse.data(), entropy.data());
    for (int64_t r = 0; r < c.rows; ++r) {
      const auto lp = c.log_softmax(r);
      ASSERT_NEAR(logprobs[static_cast<size_t>(r)], lp[static_cast<size_t>(c.targets[static_cast<size_t>(r)])], 2e-5);
      ASSERT_NEAR(entropy[static_cast<size_t>(r)], entropy_of(lp), 2e-5);
    }
    Floats dhidden(c.hidden.size()), dweight(c.weight.size());
    kernels().linear_logprob_backward(c.head(precision), {lse.data(), entropy.data(), g.data(), h.data(), dhidden.data(), dweight.data()});
    const auto dlogits = logit_gradient(c, g, h);
    std::vector<double> expected_hidden(dhidden.size()), expected_weight(dweight.size());
    std::vector<double> size_hidden(dhidden.size()), size_weight(dweight.size());  // of the summands
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t j = 0; j < c.limit; ++j) {
        const double d = dlogits[static_cast<size_t>(r * c.limit + j)];
        for (int64_t k = 0; k < c.dim; ++k) {
          const auto row = static_cast<size_t>(r * c.dim + k), column = static_cast<size_t>(j * c.dim + k);
          expected_hidden[row] += d * c.weight[column];
          expected_weight[column] += d * c.hidden[row];
          size_hidden[row] += std::abs(d * c.weight[column]);
          size_weight[column] += std::abs(d * c.hidden[row]);
        }
      }
    }
    // dlogits are rounded to bf16 as well: each by 2^-9 of itself, twice that for what is computed in fp32 before
    const double rounding = precision == Precision::kFloat32 ? 0.0 : std::ldexp(1.0, -8);
    expect_within(dhidden, expected_hidden, size_hidden, rounding, "dhidden");
    expect_within(dweight, expected_weight, size_weight, rounding, "dweight");
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Products, ::testing::Range(size_t{0}, available_cpu_kernels().size()), isa_name);

}  // namespace
}  // namespace grpo::kernels
