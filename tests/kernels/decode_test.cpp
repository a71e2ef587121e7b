#include "decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "dispatch.h"

// Oracle throughout: plain loops in double. Shapes are drawn afresh in every run; the seed is printed on failure.
namespace grpo::kernels {
namespace {

using Floats = std::vector<float>;

class DecodeTest : public ::testing::TestWithParam<CpuKernels> {
 protected:
  DecodeTest() : seed_(std::random_device{}()), random_(seed_) {}
  const DecodeKernels& table() const { return *GetParam().decode; }
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  Floats normals(int64_t count, float spread = 1.0F) {
    std::normal_distribution<float> normal(0.0F, spread);
    Floats values(static_cast<size_t>(count));
    for (float& value : values) value = normal(random_);
    return values;
  }

  uint32_t seed_;
  std::mt19937_64 random_;
};

TEST_P(DecodeTest, LinearEqualsPlainLoops) {
  SCOPED_TRACE(seed_);
  const int64_t columns = table().panel_columns;
  for (int round = 0; round < 30; ++round) {
    const int64_t rows = pick(0, 40), depth = round == 0 ? 5000 : pick(1, 90), stride = depth + pick(0, 5),
                  out_stride = columns + pick(0, 9);
    const bool accumulate = pick(0, 1) == 1, biased = pick(0, 1) == 1;
    Floats weight = normals(depth * columns), bias = normals(columns), x = normals(rows * stride), before = normals(rows * out_stride);
    Floats y = before;
    const LinearPanel panel{weight.data(), biased ? bias.data() : nullptr, depth};
    table().linear(panel, {x.data(), stride}, {y.data(), out_stride}, rows, accumulate);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < out_stride; ++j) {
        const size_t at = static_cast<size_t>(r * out_stride + j);
        if (j >= columns) {
          ASSERT_EQ(y[at], before[at]);
          continue;
        }
        double sum = (accumulate ? before[at] : 0.0) + (biased ? bias[static_cast<size_t>(j)] : 0.0);
        for (int64_t k = 0; k < depth; ++k) {
          sum += static_cast<double>(x[static_cast<size_t>(r * stride + k)]) * weight[static_cast<size_t>(k * columns + j)];
        }
        ASSERT_NEAR(y[at], sum, 2e-6 * static_cast<double>(depth) + 1e-5);
      }
    }
  }
}

TEST_P(DecodeTest, RowsDoNotDependOnTheirNeighbours) {
  SCOPED_TRACE(seed_);
  const int64_t columns = table().panel_columns, depth = pick(1, 300), rows = 29;
  Floats weight = normals(depth * columns), x = normals(rows * depth), y(static_cast<size_t>(rows * columns)),
         one(static_cast<size_t>(columns));
  Floats act(static_cast<size_t>(rows * columns / 2)), one_act(static_cast<size_t>(columns / 2));
  const LinearPanel panel{weight.data(), nullptr, depth};
  table().linear(panel, {x.data(), depth}, {y.data(), columns}, rows, false);
  table().linear_swiglu(panel, {x.data(), depth}, {act.data(), columns / 2}, rows);
  for (int64_t r = 0; r < rows; ++r) {
    table().linear(panel, {x.data() + r * depth, depth}, {one.data(), columns}, 1, false);
    table().linear_swiglu(panel, {x.data() + r * depth, depth}, {one_act.data(), columns / 2}, 1);
    ASSERT_TRUE(std::equal(one.begin(), one.end(), y.begin() + r * columns));
    ASSERT_TRUE(std::equal(one_act.begin(), one_act.end(), act.begin() + r * columns / 2));
  }
}

TEST_P(DecodeTest, SwigluEqualsPlainLoops) {
  SCOPED_TRACE(seed_);
  const int64_t columns = table().panel_columns, half = columns / 2;
  for (int round = 0; round < 10; ++round) {
    const int64_t rows = pick(0, 20), depth = pick(1, 40);
    const float spread = round % 2 == 0 ? 0.3F : 30.0F;  // the latter saturates the sigmoid
    Floats weight = normals(depth * columns, spread), bias = normals(columns), x = normals(rows * depth);
    Floats y(static_cast<size_t>(rows * half));
    table().linear_swiglu({weight.data(), bias.data(), depth}, {x.data(), depth}, {y.data(), half}, rows);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < half; ++j) {
        double gate = bias[static_cast<size_t>(j)], up = bias[static_cast<size_t>(half + j)];
        for (int64_t k = 0; k < depth; ++k) {
          const double value = x[static_cast<size_t>(r * depth + k)];
          gate += value * weight[static_cast<size_t>(k * columns + j)];
          up += value * weight[static_cast<size_t>(k * columns + half + j)];
        }
        const double expected = gate / (1.0 + std::exp(-gate)) * up;
        ASSERT_NEAR(y[static_cast<size_t>(r * half + j)], expected, 1e-4 * spread * (1.0 + std::abs(expected)));
      }
    }
  }
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

/// A kv head's cache as rotate_and_store fills it, beside the plain keys and values.
struct Cache {
  Floats keys, values;
  std::vector<Floats> plain_keys, plain_values;

  Cache(const DecodeKernels& table, int64_t capacity, int64_t dim)
      : keys(static_cast<size_t>(capacity * dim), std::numeric_limits<float>::quiet_NaN()),
        values(static_cast<size_t>(capacity * table.value_columns(dim)), std::numeric_limits<float>::quiet_NaN()) {}

  void append(const DecodeKernels& table, const Floats& key, const Floats& value) {
    const auto dim = static_cast<int64_t>(key.size());
    Floats qkv = key;
    qkv.insert(qkv.end(), value.begin(), value.end());
    table.rotate_and_store({.qkv = qkv.data(),
                            .q_norm = nullptr,
                            .k_norm = nullptr,
                            .cos = nullptr,
                            .sin = nullptr,
                            .heads = 0,
                            .kv_heads = 1,
                            .head_dim = dim,
                            .pairs = 0,
                            .eps = 0.0F,
                            .scale = 1.0F,
                            .keys = keys.data(),
                            .values = values.data(),
                            .key_stride = 0,
                            .value_stride = 0,
                            .entry = static_cast<int64_t>(plain_keys.size())});
    plain_keys.push_back(key);
    plain_values.push_back(value);
  }
};

TEST_P(DecodeTest, RotatesNormalisesAndScalesHeads) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 20; ++round) {
    const int64_t heads = pick(1, 5), kv_heads = pick(1, 3), dim = 2 * pick(1, 20), pairs = round % 2 == 0 ? dim / 2 : pick(0, dim / 2);
    const int64_t columns = table().panel_columns, capacity = 2 * columns, entry = pick(0, capacity - 1), wide = table().value_columns(dim);
    const bool normed = pick(0, 1) == 1;
    const Floats before = normals((heads + 2 * kv_heads) * dim), q_norm = normals(dim), k_norm = normals(dim);
    const Floats cos = normals(pairs), sin = normals(pairs);
    Floats qkv = before, keys(static_cast<size_t>(kv_heads * capacity * dim)), values(static_cast<size_t>(kv_heads * capacity * wide));
    table().rotate_and_store({qkv.data(), normed ? q_norm.data() : nullptr, normed ? k_norm.data() : nullptr, cos.data(), sin.data(), heads,
                              kv_heads, dim, pairs, 1e-6F, 0.25F, keys.data(), values.data(), capacity * dim, capacity * wide, entry});
    for (int64_t h = 0; h < heads + kv_heads; ++h) {
      std::vector<double> head(before.begin() + h * dim, before.begin() + (h + 1) * dim);
      double squares = 0.0;
      for (const double value : head) squares += value * value;
      for (size_t i = 0; i < head.size() && normed; ++i) {
        head[i] *= (h < heads ? q_norm[i] : k_norm[i]) / std::sqrt(squares / static_cast<double>(dim) + 1e-6);
      }
      for (size_t i = 0; i < static_cast<size_t>(pairs); ++i) {
        const double low = head[i], high = head[i + static_cast<size_t>(pairs)];
        head[i] = low * cos[i] - high * sin[i];
        head[i + static_cast<size_t>(pairs)] = high * cos[i] + low * sin[i];
      }
      for (int64_t i = 0; i < dim; ++i) {
        const double expected = head[static_cast<size_t>(i)];
        if (h < heads) {
          ASSERT_NEAR(qkv[static_cast<size_t>(h * dim + i)], 0.25 * expected, 1e-5);
          continue;
        }
        const int64_t block = (h - heads) * capacity * dim + entry / columns * dim * columns;
        ASSERT_NEAR(keys[static_cast<size_t>(block + i * columns + entry % columns)], expected, 2e-5);
        ASSERT_EQ(values[static_cast<size_t>(((h - heads) * capacity + entry) * wide + i)],
                  before[static_cast<size_t>((h + kv_heads) * dim + i)]);
      }
    }
  }
}

Floats attend(const DecodeKernels& table, const Floats& q, int64_t group, int64_t dim, CacheRun first, CacheRun second) {
  const int64_t entries = first.end - first.begin + second.end - second.begin;
  Floats out(static_cast<size_t>(group * dim)), scratch(static_cast<size_t>(table.attention_scratch(group, dim, entries)));
  table.attention({q.data(), out.data(), group, dim, {first, second}, scratch.data()});
  return out;
}

TEST_P(DecodeTest, AttentionEqualsPlainLoopsHoweverEntriesAreStored) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 40; ++round) {
    const int64_t group = round % 4 == 0 ? 7 : pick(1, 20), dim = pick(1, 80), entries = round < 3 ? 1 : pick(1, 150);
    const int64_t split = pick(0, entries - 1), begin = round % 2 == 0 ? 0 : pick(0, entries - 1), capacity = 256;
    Cache whole(table(), capacity, dim), prefix(table(), capacity, dim), own(table(), capacity, dim);
    for (int64_t i = 0; i < entries; ++i) {
      const Floats key = normals(dim), value = normals(dim);
      whole.append(table(), key, value);
      (i < split ? prefix : own).append(table(), key, value);
    }
    const Floats q = normals(group * dim, 0.5F);
    const CacheRun none{nullptr, nullptr, 0, 0};
    const Floats out = attend(table(), q, group, dim, none, {whole.keys.data(), whole.values.data(), begin, entries});
    const CacheRun first = begin < split ? CacheRun{prefix.keys.data(), prefix.values.data(), begin, split} : none;
    const CacheRun second{own.keys.data(), own.values.data(), std::max<int64_t>(0, begin - split), entries - split};
    ASSERT_EQ(attend(table(), q, group, dim, first, second), out) << "storage changes the result";

    for (int64_t h = 0; h < group; ++h) {
      std::vector<double> weights, expected(static_cast<size_t>(dim), 0.0);
      double total = 0.0;
      for (int64_t t = begin; t < entries; ++t) {
        double score = 0.0;
        for (int64_t i = 0; i < dim; ++i) {
          score +=
              static_cast<double>(q[static_cast<size_t>(h * dim + i)]) * whole.plain_keys[static_cast<size_t>(t)][static_cast<size_t>(i)];
        }
        weights.push_back(std::exp(score));
        total += weights.back();
      }
      for (int64_t t = begin; t < entries; ++t) {
        for (size_t i = 0; i < expected.size(); ++i) {
          expected[i] += weights[static_cast<size_t>(t - begin)] / total * whole.plain_values[static_cast<size_t>(t)][i];
        }
      }
      for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(out[static_cast<size_t>(h * dim) + i], expected[i], 2e-5);
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
