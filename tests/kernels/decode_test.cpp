#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/decode_fixture.h"

// Oracle throughout: plain loops in double. Shapes are drawn afresh in every run; the seed is printed on failure.
namespace grpo::kernels {
namespace {

/// Rows as round_row leaves them, what expand_row makes of them, and what their words mean.
struct RoundedRows {
  int64_t stride, input_words;
  std::vector<uint32_t> words, inputs;
  std::vector<RowScale> scales;
  std::vector<std::vector<double>> values;

  /// `x` has `rows` rows of `dim`; words lie `gap` further apart than needed.
  RoundedRows(const LinearKernels& kernels, const Floats& x, int64_t rows, int64_t dim, int64_t gap = 0)
      : stride((dim + kernels.per_word - 1) / kernels.per_word + gap),
        input_words(kernels.input_words),
        words(static_cast<size_t>(rows * stride), 0xDEADBEEFU),
        inputs(static_cast<size_t>(rows * stride * input_words), 0xDEADBEEFU),
        scales(static_cast<size_t>(rows)) {
    for (int64_t r = 0; r < rows; ++r) {
      uint32_t* row = words.data() + r * stride;
      kernels.round_row(x.data() + r * dim, dim, row, scales.data() + r);
      uint32_t* input = inputs.data() + r * stride * input_words;
      std::copy_n(row, stride - gap, input);
      kernels.expand_row(input, stride - gap);
      std::vector<double>& meant = values.emplace_back();
      for (int64_t i = 0; i < dim; ++i) meant.push_back(meaning(kernels.per_word, row, i, scales[static_cast<size_t>(r)].scale));
    }
  }
  InputRows input() const { return {inputs.data(), stride * input_words, scales.data()}; }

  static double meaning(int64_t per_word, const uint32_t* row, int64_t i, float scale) {
    const uint32_t word = row[i / per_word];
    if (per_word == 1) return std::bit_cast<float>(word);
    if (per_word == 2) return std::bit_cast<float>(i % 2 == 0 ? word << 16 : word & 0xFFFF0000U);
    return static_cast<double>(scale) * static_cast<int8_t>(word >> (8 * (i % 4)));
  }
};

/// A panel of the layer with weights [panel_columns, depth], beside what it multiplies by.
struct TestPanel {
  RoundedRows outputs;
  std::vector<uint32_t> words;
  Floats scales, bias;
  int64_t depth_words;

  TestPanel(const DecodeKernels& table, const LinearKernels& kernels, const Floats& weight, int64_t depth, Floats biases)
      : outputs(kernels, weight, table.panel_columns, depth), bias(std::move(biases)), depth_words(outputs.stride) {
    for (int64_t w = 0; w < depth_words; ++w) {
      for (int64_t j = 0; j < table.panel_columns; ++j) {
        words.push_back(outputs.words[static_cast<size_t>(j * depth_words + w)] ^ kernels.weight_flip);
      }
    }
    for (const RowScale& scale : outputs.scales) scales.push_back(scale.scale);
  }
  LinearPanel panel(bool prefetch) const {
    return {words.data(), scales.data(), bias.empty() ? nullptr : bias.data(), depth_words, prefetch ? words.data() : nullptr};
  }
  /// Column j of the product with a row of values, bias included.
  double product(const std::vector<double>& row, int64_t j) const {
    double sum = bias.empty() ? 0.0 : bias[static_cast<size_t>(j)];
    for (size_t k = 0; k < row.size(); ++k) sum += row[k] * outputs.values[static_cast<size_t>(j)][k];
    return sum;
  }
};

/// The three types of linear kernels.
std::vector<const LinearKernels*> types(const DecodeKernels& table) { return {&table.float32, &table.bfloat16, &table.int8}; }

// Oracle: products of the rounded numbers in double.
TEST_P(DecodeTest, LinearEqualsPlainLoops) {
  SCOPED_TRACE(seed_);
  const int64_t columns = table().panel_columns;
  for (int round = 0; round < 90; ++round) {
    const LinearKernels& kernels = *types(table())[static_cast<size_t>(round % 3)];
    const int64_t rows = pick(0, 40), depth = round < 3 ? 5000 : pick(1, 90), out_stride = columns + pick(0, 9);
    const bool accumulate = pick(0, 1) == 1, biased = pick(0, 1) == 1;
    const TestPanel panel(table(), kernels, normals(depth * columns), depth, biased ? normals(columns) : Floats{});
    const RoundedRows x(kernels, normals(rows * depth), rows, depth, pick(0, 5));
    const Floats before = normals(rows * out_stride);
    Floats y = before;
    kernels.linear(panel.panel(pick(0, 1) == 1), x.input(), {y.data(), out_stride}, rows, accumulate);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < out_stride; ++j) {
        const size_t at = static_cast<size_t>(r * out_stride + j);
        if (j >= columns) {
          ASSERT_EQ(y[at], before[at]);
          continue;
        }
        const double expected = panel.product(x.values[static_cast<size_t>(r)], j) + (accumulate ? before[at] : 0.0);
        ASSERT_NEAR(y[at], expected, kernels.per_word == 4 ? 1e-5 * (1.0 + std::abs(expected)) : 2e-6 * static_cast<double>(depth) + 1e-5)
            << "type " << round % 3 << ", depth " << depth;
      }
    }
  }
}

TEST_P(DecodeTest, RowsDoNotDependOnTheirNeighbours) {
  SCOPED_TRACE(seed_);
  for (const LinearKernels* kernels : types(table())) {
    const int64_t columns = table().panel_columns, depth = pick(1, 300), rows = 29;
    const TestPanel weights(table(), *kernels, normals(depth * columns), depth, {});
    const RoundedRows x(*kernels, normals(rows * depth), rows, depth);
    Floats y(static_cast<size_t>(rows * columns)), one(static_cast<size_t>(columns));
    Floats act(static_cast<size_t>(rows * columns / 2)), one_act(static_cast<size_t>(columns / 2));
    kernels->linear(weights.panel(true), x.input(), {y.data(), columns}, rows, false);
    kernels->linear_swiglu(weights.panel(true), x.input(), {act.data(), columns / 2}, rows);
    for (int64_t r = 0; r < rows; ++r) {
      const InputRows all = x.input(), row{all.words + r * all.stride, all.stride, all.scales + r};
      kernels->linear(weights.panel(false), row, {one.data(), columns}, 1, false);
      kernels->linear_swiglu(weights.panel(false), row, {one_act.data(), columns / 2}, 1);
      ASSERT_TRUE(std::equal(one.begin(), one.end(), y.begin() + r * columns));
      ASSERT_TRUE(std::equal(one_act.begin(), one_act.end(), act.begin() + r * columns / 2));
    }
  }
}

TEST_P(DecodeTest, SwigluEqualsPlainLoops) {
  SCOPED_TRACE(seed_);
  const int64_t columns = table().panel_columns, half = columns / 2;
  for (int round = 0; round < 30; ++round) {
    const LinearKernels& kernels = *types(table())[static_cast<size_t>(round % 3)];
    const int64_t rows = pick(0, 20), depth = pick(1, 40);
    const float spread = round % 2 == 0 ? 0.3F : 30.0F;  // the latter saturates the sigmoid
    const TestPanel panel(table(), kernels, normals(depth * columns, spread), depth, normals(columns));
    const RoundedRows x(kernels, normals(rows * depth), rows, depth);
    Floats y(static_cast<size_t>(rows * half));
    kernels.linear_swiglu(panel.panel(false), x.input(), {y.data(), half}, rows);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < half; ++j) {
        const auto& row = x.values[static_cast<size_t>(r)];
        const double gate = panel.product(row, j), expected = gate / (1.0 + std::exp(-gate)) * panel.product(row, half + j);
        ASSERT_NEAR(y[static_cast<size_t>(r * half + j)], expected, 1e-4 * spread * (1.0 + std::abs(expected)));
      }
    }
  }
}

// Oracle: the definition of each rounding, and its worst error.
TEST_P(DecodeTest, RowsAreRoundedToNearest) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 40; ++round) {
    const int64_t dim = pick(1, 130);
    Floats x = normals(dim, round % 2 == 0 ? 1.0F : 1e-3F);
    for (float& value : x) {
      if (pick(0, 3) == 0) value = 1.0F + static_cast<float>(2 * pick(0, 127) + 1) / 256.0F;  // halfway between two bf16
    }
    const RoundedRows exact(table().float32, x, 1, dim), bf16(table().bfloat16, x, 1, dim), int8(table().int8, x, 1, dim);
    double largest = 0.0, sum = 0.0;
    for (const float value : x) largest = std::max(largest, std::abs(static_cast<double>(value)));
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(exact.values[0][i], x[i]);
      ASSERT_EQ(bf16.values[0][i], nearest_bfloat16(x[i]));
      ASSERT_NEAR(int8.values[0][i], x[i], largest / 127.0 * 0.50001);
      sum += std::round(int8.values[0][i] / int8.scales[0].scale);
    }
    ASSERT_NEAR(int8.scales[0].scale, largest / 127.0, 1e-6 * largest);
    ASSERT_EQ(int8.scales[0].offset, 128.0 * sum);
  }
}

TEST_P(DecodeTest, RoundingKeepsWhatIsNotFiniteAndNothing) {
  const auto nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const int64_t dim : {3, 50}) {
    for (const int64_t at : {int64_t{0}, dim - 2}) {
      for (const float bad : {nan, infinity, -infinity}) {
        Floats x(static_cast<size_t>(dim), 0.5F);
        x[static_cast<size_t>(at)] = bad;
        const double kept = RoundedRows(table().bfloat16, x, 1, dim).values[0][static_cast<size_t>(at)];
        EXPECT_TRUE(std::isnan(bad) ? std::isnan(kept) : kept == bad);
        EXPECT_TRUE(std::isnan(RoundedRows(table().int8, x, 1, dim).scales[0].scale));
      }
    }
    for (const float little : {0.0F, -0.0F, 1e-38F, -1e-31F}) {
      const RoundedRows int8(table().int8, Floats(static_cast<size_t>(dim), little), 1, dim);
      for (const double value : int8.values[0]) EXPECT_EQ(value, 0.0);
      EXPECT_EQ(int8.scales[0].offset, 0);
    }
  }
  // A NaN whose upper half alone is an infinity.
  EXPECT_TRUE(std::isnan(RoundedRows(table().bfloat16, {std::bit_cast<float>(0x7F800001U)}, 1, 1).values[0][0]));
}

TEST_P(DecodeTest, NormEqualsPlainLoops) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 20; ++round) {
    const int64_t dim = pick(1, 200);
    Floats x = normals(dim, 3.0F), weight = normals(dim), y(static_cast<size_t>(dim));
    table().rms_norm_row(x.data(), weight.data(), 1e-5F, y.data(), dim);
    double squares = 0.0;
    for (const float value : x) squares += static_cast<double>(value) * value;
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(y[i], x[i] / std::sqrt(squares / static_cast<double>(dim) + 1e-5) * weight[i], 1e-5);
    }
  }
}

TEST_P(DecodeTest, SoftmaxSumsAndInverseCdfEqualPlainLoops) {
  SCOPED_TRACE(seed_);
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  for (int round = 0; round < 30; ++round) {
    const int64_t count = table().panel_columns * pick(1, 90);
    const float inverse_temperature = static_cast<float>(pick(1, 40)) / 10.0F;
    Floats logits = normals(count, 4.0F), sums(static_cast<size_t>(count / kSoftmaxBlock + 1));
    for (int64_t i = pick(0, count - 1); i < count; ++i) logits[static_cast<size_t>(i)] = kNever;
    logits[0] = 1.0F;
    const SoftmaxSums found = table().softmax_sums(logits.data(), count, inverse_temperature, sums.data());
    const float max = *std::max_element(logits.begin(), logits.end());
    std::vector<double> cumulative;
    double total = 0.0;
    for (const float logit : logits) cumulative.push_back(total += std::exp((static_cast<double>(logit) - max) * inverse_temperature));
    ASSERT_EQ(found.max, max);
    ASSERT_NEAR(found.sum, total, 1e-6 * total);
    for (const float uniform : {0.0F, 0.25F, 0.7F, 1.0F - 0x1p-24F}) {
      const auto id = static_cast<size_t>(table().inverse_cdf(logits.data(), count, inverse_temperature, found, sums.data(), uniform));
      ASSERT_GT(logits[id], kNever);
      ASSERT_GE(cumulative[id], uniform * total - 1e-6 * total);
      ASSERT_LE(id > 0 ? cumulative[id - 1] : 0.0, uniform * total + 1e-6 * total);
    }
  }
}

TEST_P(DecodeTest, SoftmaxSumsShowLogitsThatAreNotFinite) {
  const int64_t count = table().panel_columns * 2;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Floats logits(static_cast<size_t>(count), 0.5F), sums(1);
    logits[static_cast<size_t>(count / 2 + 1)] = bad;
    const SoftmaxSums found = table().softmax_sums(logits.data(), count, 1.0F, sums.data());
    EXPECT_FALSE(std::isfinite(found.sum) && std::isfinite(found.max));
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, DecodeTest, ::testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& kernels) { return std::string(kernels.param.isa); });

}  // namespace
}  // namespace grpo::kernels
