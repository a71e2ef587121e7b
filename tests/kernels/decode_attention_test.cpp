#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include "kernels/decode_fixture.h"

// Oracle throughout: plain loops in double over what the cache holds. Shapes are drawn afresh in every run; the seed is printed on failure.
namespace grpo::kernels {
namespace {

using DecodeAttentionTest = DecodeTest;

/// A kv head's cache as rotate_and_store fills it, beside the plain keys and values that it holds. Unwritten entries are NaN.
struct Cache {
  const DecodeKernels& table;
  bool bfloat16;
  std::vector<std::byte> keys, values;
  std::vector<Floats> plain_keys, plain_values;

  Cache(const DecodeKernels& kernels, bool in_bfloat16, int64_t capacity, int64_t dim)
      : table(kernels),
        bfloat16(in_bfloat16),
        keys(static_cast<size_t>(capacity * dim * cache().element_bytes), std::byte{0xFF}),
        values(static_cast<size_t>(capacity * table.value_columns(dim) * cache().element_bytes), std::byte{0xFF}) {}

  const CacheKernels& cache() const { return bfloat16 ? table.bfloat16_cache : table.float32_cache; }
  CacheRun run(int64_t begin, int64_t end) const { return {keys.data(), values.data(), begin, end}; }

  void append(const Floats& key, const Floats& value) {
    const auto dim = static_cast<int64_t>(key.size());
    Floats qkv = key;
    qkv.insert(qkv.end(), value.begin(), value.end());
    cache().rotate_and_store({.qkv = qkv.data(),
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
    const auto held = [&](Floats x) {
      if (bfloat16) std::transform(x.begin(), x.end(), x.begin(), nearest_bfloat16);
      return x;
    };
    plain_keys.push_back(held(key));
    plain_values.push_back(held(value));
  }
};

/// Element i of a cache's memory.
float element(const std::vector<std::byte>& memory, int64_t i, bool bfloat16) {
  uint32_t bits = 0;
  const size_t bytes = bfloat16 ? 2 : 4;
  std::memcpy(&bits, memory.data() + static_cast<size_t>(i) * bytes, bytes);
  return std::bit_cast<float>(bfloat16 ? bits << 16 : bits);
}

TEST_P(DecodeAttentionTest, RotatesNormalisesAndScalesHeads) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 40; ++round) {
    const bool bfloat16 = round % 4 > 1;
    const CacheKernels& cache = bfloat16 ? table().bfloat16_cache : table().float32_cache;
    const int64_t heads = pick(1, 5), kv_heads = pick(1, 3), dim = 2 * pick(1, 20), pairs = round % 2 == 0 ? dim / 2 : pick(0, dim / 2);
    const int64_t columns = table().key_block, capacity = 2 * columns, entry = pick(0, capacity - 1), wide = table().value_columns(dim);
    const bool normed = pick(0, 1) == 1;
    const Floats before = normals((heads + 2 * kv_heads) * dim), q_norm = normals(dim), k_norm = normals(dim);
    const Floats cos = normals(pairs), sin = normals(pairs);
    Floats qkv = before;
    std::vector<std::byte> keys(static_cast<size_t>(kv_heads * capacity * dim * cache.element_bytes)),
        values(static_cast<size_t>(kv_heads * capacity * wide * cache.element_bytes));
    cache.rotate_and_store({qkv.data(), normed ? q_norm.data() : nullptr, normed ? k_norm.data() : nullptr, cos.data(), sin.data(), heads,
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
        ASSERT_NEAR(element(keys, block + i * columns + entry % columns, bfloat16), expected,
                    2e-5 + (bfloat16 ? std::abs(expected) / 256 : 0.0));
        const float value = before[static_cast<size_t>((h + kv_heads) * dim + i)];
        ASSERT_EQ(element(values, ((h - heads) * capacity + entry) * wide + i, bfloat16), bfloat16 ? nearest_bfloat16(value) : value);
      }
    }
  }
}

Floats attend(const Cache& of, const Floats& q, int64_t group, int64_t dim, const std::vector<CacheRun>& runs) {
  int64_t entries = 0;
  for (const CacheRun& run : runs) entries += run.end - run.begin;
  Floats out(static_cast<size_t>(group * dim)), scratch(static_cast<size_t>(of.table.attention_scratch(group, dim, entries)));
  of.cache().attention({q.data(), out.data(), group, dim, runs.data(), static_cast<int64_t>(runs.size()), scratch.data()});
  return out;
}

/// softmax(q K^T) V over the entries from `begin` on, for query head h, in double.
std::vector<double> plain_attention(const Cache& cache, const Floats& q, int64_t h, int64_t dim, int64_t begin) {
  std::vector<double> weights, expected(static_cast<size_t>(dim), 0.0);
  double total = 0.0;
  for (size_t t = static_cast<size_t>(begin); t < cache.plain_keys.size(); ++t) {
    double score = 0.0;
    for (int64_t i = 0; i < dim; ++i) {
      score += static_cast<double>(q[static_cast<size_t>(h * dim + i)]) * cache.plain_keys[t][static_cast<size_t>(i)];
    }
    weights.push_back(std::exp(score));
    total += weights.back();
  }
  for (size_t t = 0; t < weights.size(); ++t) {
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] += weights[t] / total * cache.plain_values[static_cast<size_t>(begin) + t][i];
    }
  }
  return expected;
}

TEST_P(DecodeAttentionTest, AttentionEqualsPlainLoopsHoweverEntriesAreStored) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 60; ++round) {
    const bool bfloat16 = round % 3 == 2;
    const int64_t group = round % 4 == 0 ? 7 : pick(1, 20), dim = pick(1, 80), entries = round < 3 ? 1 : pick(1, 150);
    const int64_t begin = round % 2 == 0 ? 0 : pick(0, entries - 1), capacity = 256;
    Cache whole(table(), bfloat16, capacity, dim);
    std::deque<Cache> pages;
    std::vector<CacheRun> runs;
    for (int64_t i = 0; i < entries;) {
      const int64_t first = i, end = std::min(entries, i + pick(1, round % 5 == 0 ? entries : 40));
      Cache& page = pages.emplace_back(table(), bfloat16, capacity, dim);
      for (; i < end; ++i) {
        const Floats key = normals(dim), value = normals(dim);
        whole.append(key, value);
        page.append(key, value);
      }
      if (begin < end) runs.push_back(page.run(std::max<int64_t>(0, begin - first), end - first));
    }
    const Floats q = normals(group * dim, 0.5F);
    const Floats out = attend(whole, q, group, dim, {whole.run(begin, entries)});
    ASSERT_EQ(attend(whole, q, group, dim, runs), out) << "storage changes the result";
    for (int64_t h = 0; h < group; ++h) {
      const auto expected = plain_attention(whole, q, h, dim, begin);
      for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(out[static_cast<size_t>(h * dim) + i], expected[i], 2e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, DecodeAttentionTest, ::testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& kernels) { return std::string(kernels.param.isa); });

}  // namespace
}  // namespace grpo::kernels
