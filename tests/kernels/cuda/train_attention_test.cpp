// Oracles: plain loops in double, their central differences, and the scalar CPU kernels.
#include <span>

#include "train_fixture.h"

namespace grpo::kernels {
namespace {

class CudaAttention : public CudaTrain {
 protected:
  struct Case {
    AttentionShape shape;
    std::vector<AttentionSegment> segments;
    int64_t rows = 0;
    Values qkv, dout;
  };
  struct Results {
    Values out, lse, dqkv;
    bool operator==(const Results&) const = default;
  };

  /// Prompts with completions that see them, or a part of them; lone sequences.
  Case draw(int64_t groups, int64_t longest, int64_t group, int64_t head_dim, int64_t window) {
    Case c;
    const int64_t kv_heads = between(1, 2);
    c.shape = {kv_heads * group, kv_heads, head_dim, window, 1.0F / std::sqrt(static_cast<float>(head_dim))};
    for (; groups > 0; --groups) {
      const int64_t begin = c.rows, prompt = between(1, longest);
      c.segments.push_back({begin, begin + prompt, 0, 0});
      c.rows += prompt;
      for (int64_t sample = between(0, 3); sample > 0; --sample) {
        const int64_t length = between(1, longest), from = between(0, 3) > 0 ? 0 : between(0, prompt - 1);
        c.segments.push_back({c.rows, c.rows + length, begin + from, begin + between(from + 1, prompt)});
        c.rows += length;
      }
    }
    c.qkv = randoms(c.rows * c.shape.row_stride());
    c.dout = randoms(c.rows * c.shape.heads * head_dim);
    return c;
  }

  Results run(const Case& c, size_t guard) const {
    Array qkv(GetParam(), c.qkv, guard), dout(GetParam(), c.dout, guard), out(GetParam(), c.dout.size(), guard),
        dqkv(GetParam(), c.qkv.size(), guard);
    const auto scalars = static_cast<size_t>(c.rows * c.shape.heads);
    Array lse(Element::kF32, scalars, guard), delta(Element::kF32, scalars, guard);
    Plain<AttentionSegment> segments(c.segments, guard);
    int64_t longest = 0;
    for (const auto& s : c.segments) longest = std::max(longest, s.end - s.begin);
    const PackedAttention args{.qkv = qkv.data(),
                               .out = out.data(),
                               .lse = lse.floats(),
                               .segments = segments.data(),
                               .num_segments = static_cast<int64_t>(c.segments.size()),
                               .rows = c.rows,
                               .longest = longest,
                               .heads = c.shape.heads,
                               .kv_heads = c.shape.kv_heads,
                               .head_dim = c.shape.head_dim,
                               .window = c.shape.window,
                               .scale = c.shape.scale};
    cuda().attention(args, nullptr);
    cuda().attention_backward(args, {dout.data(), dqkv.data(), delta.floats()}, nullptr);
    return {out.read(), lse.read(), dqkv.read()};
  }

  /// Where a row of qkv has the heads that a query head works with.
  struct Places {
    size_t query, key, value, out;
  };
  static Places places(const Case& c, size_t row, size_t key_row, size_t head) {
    const auto d = static_cast<size_t>(c.shape.head_dim), ld = static_cast<size_t>(c.shape.row_stride()),
               heads = static_cast<size_t>(c.shape.heads), kv_heads = static_cast<size_t>(c.shape.kv_heads);
    const size_t key = key_row * ld + (heads + head / (heads / kv_heads)) * d;
    return {row * ld + head * d, key, key + kv_heads * d, (row * heads + head) * d};
  }

  /// Calls visit(row, head, keys, weights, log-sum-exp) for every query; the weights of the keys it sees sum to 1.
  template <class Visit>
  static void for_each_query(const Case& c, const Visit& visit) {
    for (const auto& s : c.segments) {
      std::vector<size_t> seen;
      for (int64_t r = s.prefix_begin; r < s.prefix_end; ++r) seen.push_back(static_cast<size_t>(r));
      for (auto q = static_cast<size_t>(s.begin); q < static_cast<size_t>(s.end); ++q) {
        seen.push_back(q);
        const auto window = static_cast<size_t>(c.shape.window);
        const auto keys = std::span(seen).subspan(window > 0 && seen.size() > window ? seen.size() - window : 0);
        for (size_t head = 0; head < static_cast<size_t>(c.shape.heads); ++head) {
          Values weights;
          double total = 0.0;
          for (const size_t k : keys) {
            const Places at = places(c, q, k, head);
            double score = 0.0;
            for (size_t j = 0; j < static_cast<size_t>(c.shape.head_dim); ++j) score += c.qkv[at.query + j] * c.qkv[at.key + j];
            weights.push_back(std::exp(score * static_cast<double>(c.shape.scale)));
            total += weights.back();
          }
          for (double& weight : weights) weight /= total;
          visit(q, head, keys, weights, std::log(total));
        }
      }
    }
  }

  struct Forward {
    Values out, lse;
  };
  static Forward reference(const Case& c) {
    Forward f{Values(c.dout.size()), Values(static_cast<size_t>(c.rows * c.shape.heads))};
    for_each_query(c, [&](size_t row, size_t head, const auto& keys, const Values& weights, double lse) {
      for (size_t k = 0; k < keys.size(); ++k) {
        const Places at = places(c, row, keys[k], head);
        for (size_t j = 0; j < static_cast<size_t>(c.shape.head_dim); ++j) f.out[at.out + j] += weights[k] * c.qkv[at.value + j];
      }
      f.lse[row * static_cast<size_t>(c.shape.heads) + head] = lse;
    });
    return f;
  }
  /// dqkv where the forward left `out`, which the backward reads: what rounding took from it is no error of the backward.
  static Values reference_backward(const Case& c, const Values& out) {
    const auto d = static_cast<size_t>(c.shape.head_dim);
    Values dqkv(c.qkv.size());
    for_each_query(c, [&](size_t row, size_t head, const auto& keys, const Values& weights, double /*lse*/) {
      for (size_t k = 0; k < keys.size(); ++k) {
        const Places at = places(c, row, keys[k], head);
        double slope = 0.0;
        for (size_t j = 0; j < d; ++j) slope += c.dout[at.out + j] * (c.qkv[at.value + j] - out[at.out + j]);
        slope *= weights[k] * static_cast<double>(c.shape.scale);
        for (size_t j = 0; j < d; ++j) {
          dqkv[at.query + j] += slope * c.qkv[at.key + j];
          dqkv[at.key + j] += slope * c.qkv[at.query + j];
          dqkv[at.value + j] += weights[k] * c.dout[at.out + j];
        }
      }
    });
    return dqkv;
  }

  /// The CPU's, whose prefixes lie within the group.
  static Results of_cpu(const Case& c) {
    const auto qkv = floats(c.qkv), dout = floats(c.dout);
    std::vector<float> out(dout.size()), lse(static_cast<size_t>(c.rows * c.shape.heads)), dqkv(qkv.size());
    const auto count = static_cast<int64_t>(c.segments.size());
    cpu().attention(qkv.data(), out.data(), lse.data(), c.segments.data(), count, c.shape);
    cpu().attention_backward(dout.data(), qkv.data(), out.data(), lse.data(), dqkv.data(), c.segments.data(), count, c.shape);
    return {doubles(out), doubles(lse), doubles(dqkv)};
  }
};

TEST_P(CudaAttention, EqualsTheFormulaAndItsDifferences) {
  for (const int64_t group : {1, 7}) {
    for (const int64_t window : {int64_t{0}, between(1, 5)}) {
      Case c = draw(between(1, 2), 3, group, between(1, 6), window);
      const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
      const Forward expected = reference(c);
      expect_near(got.out, expected.out, "out");
      expect_within(got.lse, expected.lse, 1e-5, "lse");
      expect_near(got.dqkv, reference_backward(c, got.out), "dqkv");
      expect_within(reference_backward(c, expected.out), gradient(c.qkv, [&] { return dot(reference(c).out, c.dout); }), 1e-6,
                    "the formula of dqkv");
    }
  }
}

// More than a tile of rows, of keys and of a prefix; windows that end within a tile and leave whole tiles out.
TEST_P(CudaAttention, AgreesWithTheCpuOverManyTiles) {
  for (const int64_t window : {int64_t{0}, between(1, 8), between(33, 50)}) {
    const Case c = draw(1, between(65, 75), between(0, 1) == 0 ? 1 : 3, between(3, 20), window);
    const Results got = in_every_order([&](size_t guard) { return run(c, guard); }), expected = of_cpu(c);
    const Forward exact = reference(c);
    expect_near(got.out, exact.out, "out");
    expect_within(got.lse, exact.lse, 1e-5, "lse");
    expect_near(got.out, expected.out, "out of the CPU");
    expect_near(got.dqkv, reference_backward(c, got.out), "dqkv");
    expect_within(expected.dqkv, reference_backward(c, expected.out), 1e-5, "dqkv of the CPU");
  }
}

TEST_P(CudaAttention, HeadsOfEverySize) {
  for (const int64_t head_dim : {between(57, 64), between(65, 127), int64_t{128}, between(129, 255), int64_t{256}}) {
    const Case c = draw(1, 5, 1, head_dim, 0);
    const Results got = run(c, 64);
    expect_near(got.out, reference(c).out, "out");
    expect_near(got.dqkv, reference_backward(c, got.out), "dqkv");
  }
}

// A prefix over several earlier segments, whose keys have readers of two kinds.
TEST_P(CudaAttention, PrefixOverSeveralSegments) {
  Case c;
  c.shape = {2, 1, 5, 0, 0.4F};
  const int64_t a = between(1, 40), b = between(1, 4), rest = between(1, 4);
  c.segments = {{0, a, 0, 0}, {a, a + b, 0, 0}, {a + b, a + b + rest, between(0, a - 1), a + between(1, b)}};
  c.rows = a + b + rest;
  c.qkv = randoms(c.rows * c.shape.row_stride());
  c.dout = randoms(c.rows * 2 * 5);
  const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
  expect_near(got.out, reference(c).out, "out");
  expect_near(got.dqkv, reference_backward(c, got.out), "dqkv");
}

// Scores whose exponentials overflow, in an order that moves the maximum from tile to tile.
TEST_P(CudaAttention, LargeScores) {
  Case c;
  c.shape = {1, 1, 1, 0, 1.0F};
  c.rows = 70;
  c.segments = {{0, 70, 0, 0}};
  for (int64_t r = 0; r < c.rows; ++r) {
    for (const double v : {8.0, 2.0 * static_cast<double>(r % 64), static_cast<double>(r)}) c.qkv.push_back(v);
  }
  c.dout = Values(70, 1.0);
  const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
  for (size_t r = 0; r < 70; ++r)
    EXPECT_NEAR(got.out[r], std::min<double>(static_cast<double>(r), 63.0), 1e-3) << r;  // all weight on the largest key
}

TEST_P(CudaAttention, NoRowsAndWrongShapes) {
  PackedAttention args;
  cuda().attention(args, nullptr);
  cuda().attention_backward(args, {}, nullptr);
  args.rows = args.num_segments = args.longest = 1;
  args.heads = 3;
  args.kv_heads = 2;
  args.head_dim = 8;
  EXPECT_THROW(cuda().attention(args, nullptr), Error);
  args.kv_heads = 3;
  args.head_dim = kMaxHeadDim + 1;
  EXPECT_THROW(cuda().attention_backward(args, {}, nullptr), Error);
}

INSTANTIATE_TEST_SUITE_P(Element, CudaAttention, ::testing::Values(Element::kF32, Element::kBF16), name_of);

}  // namespace
}  // namespace grpo::kernels
