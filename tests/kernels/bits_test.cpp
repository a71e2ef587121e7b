// Every kernel has one result on an instruction set, whatever compiled it. Oracle: bits recorded with g++ 12.
#include <gtest/gtest.h>
#include <omp.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "decode.h"
#include "dispatch.h"
#include "kernels/recorded_bits.h"
#include "train.h"

namespace grpo::kernels {
namespace {

/// Numbers in [-1, 1) that need no library: a linear congruential generator's high bits.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  float next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(static_cast<int32_t>(state_ >> 32)) * 0x1p-31F;
  }
  std::vector<float> vector(int64_t count, float scale = 1.0F) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = next() * scale;
    return values;
  }

 private:
  uint64_t state_;
};

/// FNV-1a of bytes.
class Hash {
 public:
  template <class T>
  Hash& add(const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (size_t i = 0; i < values.size() * sizeof(T); ++i) hash_ = (hash_ ^ bytes[i]) * 1099511628211U;
    return *this;
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 14695981039346656037U;
};

using Bits = std::map<std::string, uint64_t>;

// 13 rows, 5 query and 2 key/value heads of 24, 53 columns: sizes that no vector divides.
constexpr int64_t kRows = 13, kDim = 53, kHidden = 40, kVocabulary = 700;
constexpr AttentionShape kShape{.heads = 4, .kv_heads = 2, .head_dim = 24, .window = 0, .scale = 0.2F};

void products(const TrainKernels& k, Bits& bits) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16}) {
    const std::string type = precision == Precision::kFloat32 ? " float32" : " bfloat16";
    Numbers numbers(1);
    const auto a = numbers.vector(kRows * kDim), b = numbers.vector(kDim * kHidden), head = numbers.vector(kVocabulary * kHidden);
    std::vector<float> c(static_cast<size_t>(kRows * kHidden));
    k.product({a.data(), kDim, true}, {b.data(), kDim, true}, c.data(), kHidden, {kRows, kHidden, kDim}, false, precision);
    bits["product" + type] = Hash().add(c).value();

    std::vector<int32_t> targets;
    for (int32_t row = 0; row < kRows; ++row) targets.push_back(row * 50);
    const auto hidden = numbers.vector(kRows * kHidden), gradient = numbers.vector(kRows), entropy_gradient = numbers.vector(kRows);
    const LogprobHead task{hidden.data(), head.data(), targets.data(), kRows, kHidden, kVocabulary, 0.8F, precision};
    std::vector<float> logprobs(kRows), lse(kRows), entropy(kRows), dhidden(hidden.size()), dhead(head.size());
    k.linear_logprob(task, logprobs.data(), lse.data(), entropy.data());
    bits["linear_logprob" + type] = Hash().add(logprobs).add(lse).add(entropy).value();
    k.linear_logprob_backward(task, {lse.data(), entropy.data(), gradient.data(), entropy_gradient.data(), dhidden.data(), dhead.data()});
    bits["linear_logprob_backward" + type] = Hash().add(dhidden).add(dhead).value();
  }
}

void norms(const TrainKernels& k, Bits& bits) {
  Numbers numbers(2);
  const auto x = numbers.vector(kRows * kDim), weight = numbers.vector(kDim), dy = numbers.vector(kRows * kDim);
  std::vector<float> y(x.size()), rstd(kRows), dx(x.size()), dweight(weight.size());
  k.rms_norm(x.data(), weight.data(), y.data(), rstd.data(), kRows, kDim, 1e-5F);
  bits["rms_norm"] = Hash().add(y).add(rstd).value();
  k.rms_norm_backward(dy.data(), x.data(), weight.data(), rstd.data(), dx.data(), dweight.data(), kRows, kDim);
  bits["rms_norm_backward"] = Hash().add(dx).add(dweight).value();
}

void attention(const TrainKernels& k, Bits& bits) {
  Numbers numbers(3);
  const int64_t half = kShape.head_dim / 2, rotated = kShape.heads + kShape.kv_heads;
  const auto qkv = numbers.vector(kRows * kShape.row_stride()), q_norm = numbers.vector(kShape.head_dim),
             k_norm = numbers.vector(kShape.head_dim), cos = numbers.vector(kRows * half), sin = numbers.vector(kRows * half),
             dqkv_in = numbers.vector(kRows * kShape.row_stride()), dout = numbers.vector(kRows * kShape.heads * kShape.head_dim);
  std::vector<int32_t> positions;
  for (int32_t row = 0; row < kRows; ++row) positions.push_back(row % 7);
  std::vector<float> turned(qkv.size()), rstd(static_cast<size_t>(kRows * rotated));
  k.qk_norm_rope(qkv.data(), q_norm.data(), k_norm.data(), cos.data(), sin.data(), positions.data(), turned.data(), rstd.data(), kRows,
                 kShape, 1e-5F);
  bits["qk_norm_rope"] = Hash().add(turned).add(rstd).value();
  std::vector<float> dqkv(qkv.size()), dq_norm(q_norm.size()), dk_norm(k_norm.size());
  k.qk_norm_rope_backward(dqkv_in.data(), qkv.data(), q_norm.data(), k_norm.data(), cos.data(), sin.data(), positions.data(), rstd.data(),
                          dqkv.data(), dq_norm.data(), dk_norm.data(), kRows, kShape);
  bits["qk_norm_rope_backward"] = Hash().add(dqkv).add(dq_norm).add(dk_norm).value();

  const std::vector<AttentionSegment> segments{{0, 5, 0, 0}, {5, 9, 0, 5}, {9, 13, 0, 5}};
  std::vector<float> out(dout.size()), lse(static_cast<size_t>(kRows * kShape.heads));
  k.attention(turned.data(), out.data(), lse.data(), segments.data(), 3, kShape);
  bits["attention"] = Hash().add(out).add(lse).value();
  std::fill(dqkv.begin(), dqkv.end(), 0.0F);
  k.attention_backward(dout.data(), turned.data(), out.data(), lse.data(), dqkv.data(), segments.data(), 3, kShape);
  bits["attention_backward"] = Hash().add(dqkv).value();
}

void pointwise(const TrainKernels& k, Bits& bits) {
  Numbers numbers(4);
  const auto gate_up = numbers.vector(kRows * 2 * kDim, 5.0F), dy = numbers.vector(kRows * kDim), gradients = numbers.vector(kDim);
  std::vector<float> y(dy.size()), dgate_up(gate_up.size());
  k.swiglu(gate_up.data(), y.data(), kRows, kDim);
  bits["swiglu"] = Hash().add(y).value();
  k.swiglu_backward(dy.data(), gate_up.data(), dgate_up.data(), kRows, kDim);
  bits["swiglu_backward"] = Hash().add(dgate_up).value();
  std::vector<float> weights = numbers.vector(kDim), mean = numbers.vector(kDim), square = numbers.vector(kDim);
  for (float& value : square) value *= value;
  k.adamw(weights.data(), gradients.data(), mean.data(), square.data(), 0, kDim, {1e-3F, 0.9F, 0.99F, 1e-8F, 0.1F, 0.19F, 0.02F, 0.7F});
  bits["adamw"] = Hash().add(weights).add(mean).add(square).value();
  bits["sum_of_squares"] = std::bit_cast<uint64_t>(k.sum_of_squares(gate_up.data(), static_cast<int64_t>(gate_up.size())));
}

void linears(const DecodeKernels& k, Bits& bits) {
  for (const auto& [name, linear] :
       {std::pair<std::string, const LinearKernels&>{"float32", k.float32}, {"bfloat16", k.bfloat16}, {"int8", k.int8}}) {
    Numbers numbers(5);
    const int64_t words = (kDim + linear.per_word - 1) / linear.per_word, stride = words * linear.input_words, columns = k.panel_columns;
    std::vector<uint32_t> rows(static_cast<size_t>(kRows * stride)), panel(static_cast<size_t>(words * columns)),
        column(static_cast<size_t>(words));
    std::vector<RowScale> scales(kRows);
    std::vector<float> weight_scales(static_cast<size_t>(columns));
    for (int64_t r = 0; r < kRows; ++r) {
      const auto x = numbers.vector(kDim);
      linear.round_row(x.data(), kDim, rows.data() + r * stride, &scales[static_cast<size_t>(r)]);
      linear.expand_row(rows.data() + r * stride, words);
    }
    bits["round_row " + name] = Hash().add(rows).value();
    for (int64_t c = 0; c < columns; ++c) {
      const auto x = numbers.vector(kDim);
      RowScale scale{};
      linear.round_row(x.data(), kDim, column.data(), &scale);
      weight_scales[static_cast<size_t>(c)] = scale.scale;
      for (int64_t w = 0; w < words; ++w) panel[static_cast<size_t>(w * columns + c)] = column[static_cast<size_t>(w)] ^ linear.weight_flip;
    }
    const auto bias = numbers.vector(columns);
    const bool scaled = name == "int8";
    const LinearPanel task{panel.data(), scaled ? weight_scales.data() : nullptr, bias.data(), words, nullptr};
    std::vector<float> y(static_cast<size_t>(kRows * columns)), gated(static_cast<size_t>(kRows * columns / 2));
    linear.linear(task, {rows.data(), stride, scaled ? scales.data() : nullptr}, {y.data(), columns}, kRows, false);
    bits["linear " + name] = Hash().add(y).value();
    linear.linear_swiglu(task, {rows.data(), stride, scaled ? scales.data() : nullptr}, {gated.data(), columns / 2}, kRows);
    bits["linear_swiglu " + name] = Hash().add(gated).value();
  }
}

void caches(const DecodeKernels& k, Bits& bits) {
  for (const auto& [name, cache] :
       {std::pair<std::string, const CacheKernels&>{"float32", k.float32_cache}, {"bfloat16", k.bfloat16_cache}}) {
    Numbers numbers(6);
    const int64_t dim = kShape.head_dim, entries = 2 * k.key_block, group = kShape.heads / kShape.kv_heads;
    const auto q_norm = numbers.vector(dim), k_norm = numbers.vector(dim), cos = numbers.vector(dim / 2), sin = numbers.vector(dim / 2);
    const int64_t key_stride = dim * entries, value_stride = entries * k.value_columns(dim);
    std::vector<unsigned char> keys(static_cast<size_t>(2 * key_stride * cache.element_bytes)),
        values(static_cast<size_t>(2 * value_stride * cache.element_bytes));
    std::vector<float> row;
    for (int64_t entry = 0; entry < entries - 3; ++entry) {
      row = numbers.vector(kShape.row_stride());
      cache.rotate_and_store({row.data(), q_norm.data(), k_norm.data(), cos.data(), sin.data(), kShape.heads, kShape.kv_heads, dim, dim / 2,
                              1e-5F, 0.2F, keys.data(), values.data(), key_stride, value_stride, entry});
    }
    bits["rotate_and_store " + name] = Hash().add(row).add(keys).add(values).value();
    const CacheRun run{keys.data(), values.data(), 0, entries - 3};
    std::vector<float> out(static_cast<size_t>(group * dim)), scratch(static_cast<size_t>(k.attention_scratch(group, dim, entries)));
    cache.attention({row.data(), out.data(), group, dim, &run, 1, scratch.data()});
    bits["decode_attention " + name] = Hash().add(out).value();
  }
}

void samples(const DecodeKernels& k, Bits& bits) {
  Numbers numbers(7);
  const auto x = numbers.vector(kDim), weight = numbers.vector(kDim), logits = numbers.vector(1024, 8.0F);
  std::vector<float> y(x.size()), blocks(2);
  k.rms_norm_row(x.data(), weight.data(), 1e-5F, y.data(), kDim);
  bits["rms_norm_row"] = Hash().add(y).value();
  const SoftmaxSums sums = k.softmax_sums(logits.data(), 1024, 0.9F, blocks.data());
  bits["softmax_sums"] = Hash().add(blocks).add(std::vector<double>{sums.sum}).value();
  std::vector<int64_t> drawn;
  for (int i = 0; i < 50; ++i)
    drawn.push_back(k.inverse_cdf(logits.data(), 1024, 0.9F, sums, blocks.data(), static_cast<float>(i) / 50.0F));
  bits["inverse_cdf"] = Hash().add(drawn).value();
}

class KernelBits : public ::testing::TestWithParam<CpuKernels> {};

TEST_P(KernelBits, AreTheRecordedOnes) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  Bits bits;
  const CpuKernels& kernels = GetParam();
  products(*kernels.train, bits);
  norms(*kernels.train, bits);
  attention(*kernels.train, bits);
  pointwise(*kernels.train, bits);
  linears(*kernels.decode, bits);
  caches(*kernels.decode, bits);
  samples(*kernels.decode, bits);
  omp_set_num_threads(threads);

  Bits recorded;
  for (const RecordedBits& row : kRecordedBits) {
    if (row.isa == kernels.isa) recorded[std::string(row.kernel)] = row.bits;
  }
  std::string table;
  for (const auto& [name, value] : bits) {
    const auto found = recorded.find(name);
    EXPECT_TRUE(found != recorded.end() && found->second == value) << name;
    char line[120];
    std::snprintf(line, sizeof line, "    {\"%s\", \"%s\", 0x%016llxU},\n", std::string(kernels.isa).c_str(), name.c_str(),
                  static_cast<unsigned long long>(value));
    table += line;
  }
  EXPECT_EQ(recorded.size(), bits.size());
  if (HasFailure()) std::printf("what was computed:\n%s", table.c_str());
}

INSTANTIATE_TEST_SUITE_P(Isas, KernelBits, ::testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& isa) { return std::string(isa.param.isa); });

}  // namespace
}  // namespace grpo::kernels
