// Oracle: the same function written with ATen's operators in float64 on the CPU, differentiated by autograd; sizes and values drawn afresh
// each run. On CUDA also: in every order of threads the same results.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iostream>
#include <random>

#include "grpo/core/error.h"
#include "ops/ops.h"
#include "support/packed.h"
#include "support/place.h"

namespace grpo {
namespace {

using testing::pack_group;
using testing::pack_sequences;
using testing::Place;

std::mt19937& generator() {
  static const unsigned seed = std::random_device{}();
  static std::mt19937 g((std::cout << "seed " << seed << "\n", at::manual_seed(seed), seed));
  return g;
}

int64_t draw(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator()); }

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

void expect_close(const at::Tensor& got, const at::Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(got.sizes(), expected.sizes()) << what;
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LE((got.to(at::kCPU, at::kDouble) - expected).abs().max().item<double>(), tolerance * scale) << what;
}

class OnPlace {
 public:
  explicit OnPlace(const Place& place) : place_(place), use_(place) { generator(); }
  ~OnPlace() { testing::set_order(0); }

  /// Values that the place's type represents.
  at::Tensor leaf(at::IntArrayRef shape, double scale = 1.0) const { return there(at::randn(shape, at::kFloat) * scale); }
  at::Tensor there(const at::Tensor& values) const { return values.to(place_.device, place_.dtype).requires_grad_(true); }
  at::Device device() const { return place_.device; }

  /// Values and the gradients of a random weighting of them.
  void compare(const std::vector<at::Tensor>& inputs, const Function& ours, const Function& plain, double tolerance = 2e-5) const {
    std::vector<at::Tensor> wide;
    for (const auto& input : inputs) wide.push_back(input.detach().to(at::kCPU, at::kDouble).requires_grad_(true));
    const at::Tensor expected = plain(wide), weights = at::randn(expected.sizes(), at::kFloat).to(place_.dtype).to(at::kFloat);
    (expected * weights.to(at::kDouble)).sum().backward();
    const auto first = results(inputs, ours, weights);
    expect_close(first[0], expected.detach(), tolerance * place_.slack(), "value");
    for (size_t i = 0; i < inputs.size(); ++i) {
      expect_close(first[i + 1], wide[i].grad(), tolerance * place_.slack(), "gradient of input " + std::to_string(i));
    }
    for (uint64_t order = 1; place_.on_cuda && order < 3; ++order) {
      testing::set_order(order);
      const auto again = results(inputs, ours, weights);
      for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(first[i].equal(again[i])) << "result " << i << " in order " << order;
    }
  }

 private:
  static std::vector<at::Tensor> results(const std::vector<at::Tensor>& inputs, const Function& ours, const at::Tensor& weights) {
    for (const auto& input : inputs) input.mutable_grad() = at::Tensor();
    const at::Tensor got = ours(inputs);
    (got * weights.to(got.device(), got.scalar_type())).sum().backward();
    std::vector<at::Tensor> all = {got.detach()};
    for (const auto& input : inputs) all.push_back(input.grad());
    return all;
  }
  Place place_;
  testing::At use_;
};

class Ops : public ::testing::TestWithParam<Place>, protected OnPlace {
 protected:
  Ops() : OnPlace(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Places, Ops, ::testing::ValuesIn(testing::places()), testing::place_name);

TEST_P(Ops, Linear) {
  const int64_t rows = draw(1, 70), in_width = draw(1, 300), out_width = draw(1, 90);
  compare(
      {leaf({rows, in_width}), leaf({out_width, in_width}), leaf({out_width}), leaf({rows, out_width})},
      [](const auto& in) { return ops::linear(in[0], in[1], in[2], {}, in[3]); },
      [](const auto& in) { return in[3] + at::matmul(in[0], in[1].t()) + in[2]; });
  compare(
      {leaf({rows, in_width}), leaf({out_width, in_width})}, [](const auto& in) { return ops::linear(in[0], in[1], {}); },
      [](const auto& in) { return at::matmul(in[0], in[1].t()); });
}

TEST_P(Ops, LinearAddsIntoTheGradient) {
  const at::Tensor x = leaf({5, 7}), weight = leaf({3, 7}), weights = leaf({5, 3}).detach(), before = leaf({3, 7}).detach();
  weight.mutable_grad() = before.clone();
  (ops::linear(x, weight, {}, {.into_grad = true}) * weights).sum().backward();
  const auto wide = [](const at::Tensor& t) { return t.detach().to(at::kCPU, at::kDouble); };
  expect_close(weight.grad(), wide(before) + at::matmul(wide(weights).t(), wide(x)), 2e-5 * GetParam().slack(), "gradient");
}

// Two pieces with a gap between them, as q and v of one matrix have; oracle as above.
TEST_P(Ops, AddLowRank) {
  const int64_t rows = draw(1, 70), in_width = draw(1, 90), rank = draw(1, 9), first = draw(1, 30), gap = draw(0, 20), second = draw(1, 30);
  const int64_t out_width = first + gap + second;
  const std::vector<std::pair<int64_t, int64_t>> pieces = {{0, first}, {first + gap, out_width}};
  compare(
      {leaf({rows, out_width}), leaf({rows, in_width}), leaf({2 * rank, in_width}), leaf({first + second, rank})},
      [&](const auto& in) {
        return ops::add_low_rank(in[0] * 1.0, in[1], {in[2], in[3], pieces, 0.7});
      },
      [&](const auto& in) {
        const at::Tensor low = at::matmul(in[1], in[2].t()) * 0.7;
        const at::Tensor a = at::matmul(low.narrow(1, 0, rank), in[3].narrow(0, 0, first).t()),
                         b = at::matmul(low.narrow(1, rank, rank), in[3].narrow(0, first, second).t());
        return in[0] + at::cat({a, at::zeros({rows, gap}, at::kDouble), b}, 1);
      });
}

TEST_P(Ops, AFrozenWeightGetsNoGradient) {
  const at::Tensor x = leaf({5, 7}), weight = leaf({3, 7}).detach();
  (ops::linear(x, weight, {}, {.into_grad = true}).sum() +
   ops::linear_logprob(x, weight, at::zeros({5}, at::kInt).to(device()), 1.0, 3, false, {.into_grad = true}).logprobs.sum())
      .backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(weight.grad().defined());
}

TEST_P(Ops, RmsNorm) {
  const int64_t rows = draw(1, 40), width = draw(1, 200);
  compare(
      {leaf({rows, width}), leaf({width})}, [](const auto& in) { return ops::rms_norm(in[0], in[1], 1e-5); },
      [](const auto& in) { return in[0] * (in[0].square().mean(-1, true) + 1e-5).rsqrt() * in[1]; });
}

TEST_P(Ops, Swiglu) {
  const int64_t rows = draw(1, 40), width = draw(1, 200);
  compare(
      {leaf({rows, 2 * width}, 3.0)}, [](const auto& in) { return ops::swiglu(in[0]); },
      [](const auto& in) {
        const auto parts = in[0].chunk(2, -1);
        return at::silu(parts[0]) * parts[1];
      });
}

std::vector<int32_t> tokens(int64_t count) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(draw(0, 9)));
  return ids;
}

/// A lone sequence, and groups whose completions share their prompt.
PackedTokens mixed_batch() {
  PackedTokens batch = pack_sequences({tokens(draw(1, 70))});
  for (int group = 0; group < 2; ++group)
    batch = pack_group(tokens(draw(1, 40)), {tokens(draw(1, 30)), tokens(1), tokens(draw(1, 90))}, batch);
  return batch;
}

/// [N, N]: whether a row sees a column, from the segments' definition.
at::Tensor sees(const PackedTokens& batch, int64_t window) {
  const int64_t rows = batch.num_tokens();
  at::Tensor mask = at::zeros({rows, rows}, at::kBool);
  for (const auto& segment : batch.segments) {
    for (int64_t row = segment.begin; row < segment.end; ++row) {
      const auto visible = [&](int64_t column) {
        return window == 0 || batch.positions[static_cast<size_t>(row)] - batch.positions[static_cast<size_t>(column)] < window;
      };
      for (int64_t column = segment.prefix_begin; column < segment.prefix_end; ++column) mask[row][column] = visible(column);
      for (int64_t column = segment.begin; column <= row; ++column) mask[row][column] = visible(column);
    }
  }
  return mask;
}

struct Heads {
  int64_t kv_heads, per_kv, head_dim, window;
};
class Attention : public ::testing::TestWithParam<std::tuple<Place, Heads, bool>>, protected OnPlace {
 protected:
  Attention() : OnPlace(std::get<0>(GetParam())) { testing::allow_flash(std::get<2>(GetParam())); }
  ~Attention() override { testing::allow_flash(true); }
};

TEST_P(Attention, EqualsDenseSoftmax) {
  const auto [kv, per_kv, dim, window] = std::get<1>(GetParam());
  const ops::HeadLayout layout{.heads = kv * per_kv, .kv_heads = kv, .head_dim = dim, .window = window};
  const PackedTokens batch = mixed_batch();
  const ops::PackedLayout packed(batch, device());
  const at::Tensor mask = sees(batch, window);
  const int64_t rows = batch.num_tokens(), heads = layout.heads;
  compare(
      {leaf({rows, (heads + 2 * kv) * dim})}, [&](const auto& in) { return ops::attention(in[0], packed, layout); },
      [&, per_kv = per_kv, kv = kv, dim = dim](const auto& in) {
        const auto parts = in[0].view({rows, heads + 2 * kv, dim}).transpose(0, 1).split_with_sizes({heads, kv, kv});
        const at::Tensor keys = parts[1].repeat_interleave(per_kv, 0), values = parts[2].repeat_interleave(per_kv, 0);
        const at::Tensor scores = at::matmul(parts[0], keys.transpose(1, 2)) / std::sqrt(static_cast<double>(dim));
        return at::matmul(scores.masked_fill(mask.logical_not(), -INFINITY).softmax(-1), values)
            .transpose(0, 1)
            .reshape({rows, heads * dim});
      });
}
INSTANTIATE_TEST_SUITE_P(Shapes, Attention,
                         ::testing::Combine(::testing::ValuesIn(testing::places()),
                                            ::testing::Values(Heads{2, 1, 16, 0}, Heads{1, 7, 8, 0}, Heads{2, 3, 20, 0}, Heads{2, 2, 16, 5},
                                                              Heads{1, 1, 1, 0}),
                                            ::testing::Values(true)));
// Without prefixes flash attention takes windows too; without flash attention the library's own kernels take bf16.
INSTANTIATE_TEST_SUITE_P(WithoutFlash, Attention,
                         ::testing::Combine(::testing::Values(testing::places().back()), ::testing::Values(Heads{1, 7, 8, 0}),
                                            ::testing::Values(false)));

TEST_P(Ops, GatheredRowsAddUpTheirGradients) {
  const int64_t rows = draw(1, 60), width = draw(1, 70);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < rows; ++i) ids.push_back(static_cast<int32_t>(draw(0, 4)));
  const ops::RowIndex index(ids, device());
  const at::Tensor wide_ids = at::tensor(ids).to(at::kLong);
  compare(
      {leaf({6, width})}, [&](const auto& in) { return ops::gather_rows(in[0], index); },
      [&](const auto& in) { return in[0].index_select(0, wide_ids); });
}

TEST_P(Ops, QkNormRope) {
  const PackedTokens batch = mixed_batch();
  const ops::PackedLayout packed(batch, device());
  const ops::HeadLayout layout{.heads = 3, .kv_heads = 1, .head_dim = 12};
  const int64_t rows = batch.num_tokens();
  const at::Tensor angles = at::randn({256, 6}, at::kFloat), cos = angles.cos(), sin = angles.sin();
  const at::Tensor cos_there = cos.to(device()), sin_there = sin.to(device()), at_rows = packed.positions.to(at::kCPU, at::kLong);
  compare(
      {leaf({rows, 5 * 12}), leaf({12}), leaf({12})},
      [&](const auto& in) { return ops::qk_norm_rope(in[0], in[1], in[2], cos_there, sin_there, packed, layout, 1e-6); },
      [&](const auto& in) {
        const auto parts = in[0].view({rows, 5, 12}).split_with_sizes({3, 1, 1}, 1);
        const at::Tensor c = cos.to(at::kDouble).index_select(0, at_rows).unsqueeze(1),
                         s = sin.to(at::kDouble).index_select(0, at_rows).unsqueeze(1);
        const auto turned = [&](const at::Tensor& x, const at::Tensor& weight) {
          const auto halves = (x * (x.square().mean(-1, true) + 1e-6).rsqrt() * weight).chunk(2, -1);
          return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1);
        };
        return at::cat({turned(parts[0], in[1]), turned(parts[1], in[2]), parts[2]}, 1).reshape({rows, 60});
      });
}

struct Logprob {
  int64_t rows, vocab, limit;
  double temperature;
};
class LinearLogprob : public ::testing::TestWithParam<std::tuple<Place, Logprob>>, protected OnPlace {
 protected:
  LinearLogprob() : OnPlace(std::get<0>(GetParam())) {}
};

TEST_P(LinearLogprob, EqualsLogSoftmaxOfAllLogits) {
  const auto [rows, vocab, limit, temperature] = std::get<1>(GetParam());
  const int64_t width = 5;
  const at::Tensor targets = at::randint(0, limit, {rows}, at::kInt);
  // log-probs and entropies side by side, so that both gradients are compared
  compare(
      {leaf({rows, width}), leaf({vocab, width})},
      [&, t = temperature, l = limit](const auto& in) {
        const auto out = ops::linear_logprob(in[0], in[1], targets.to(device()), t, l, true);
        return at::stack({out.logprobs, out.entropy});
      },
      [&, t = temperature, l = limit](const auto& in) {
        const at::Tensor all = (at::matmul(in[0], in[1].t()) / t).narrow(1, 0, l).log_softmax(-1);
        return at::stack({all.gather(1, targets.to(at::kLong).unsqueeze(1)).squeeze(1), -(all.exp() * all).sum(-1)});
      },
      std::get<0>(GetParam()).dtype == at::kFloat ? 3e-4 : 2e-5);  // float32 logits alone cost most of that
}
// The last needs several chunks of logits, the final one smaller than the others.
INSTANTIATE_TEST_SUITE_P(Shapes, LinearLogprob,
                         ::testing::Combine(::testing::ValuesIn(testing::places()),
                                            ::testing::Values(Logprob{1, 2, 2, 1.0}, Logprob{33, 1000, 900, 0.7},
                                                              Logprob{230, 40'000, 39'990, 1.3})));

TEST_P(Ops, LinearLogprobRefusesTargetsBeyondTheVocabulary) {
  const at::Tensor hidden = leaf({2, 3}), weight = leaf({4, 3});
  for (const int32_t id : {-1, 4}) {
    EXPECT_THROW(ops::linear_logprob(hidden, weight, at::tensor({0, id}, at::kInt), 1.0, 4, false), Error);
  }
}

}  // namespace
}  // namespace grpo
