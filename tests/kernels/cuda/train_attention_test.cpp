// Oracles: plain loops in double, their central differences, and the scalar CPU kernels.
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

  struct Forward {
    Values out, lse;
  };
  static Forward reference(const Case& c) {
    const auto d = static_cast<size_t>(c.shape.head_dim), ld = static_cast<size_t>(c.shape.row_stride()),
               heads = static_cast<size_t>(c.shape.heads), kv_heads = static_cast<size_t>(c.shape.kv_heads);
    Forward f{Values(c.dout.size()), Values(static_cast<size_t>(c.rows) * heads)};
    for (const auto& s : c.segments) {
      std::vector<size_t> seen;
      for (int64_t r = s.prefix_begin; r < s.prefix_end; ++r) seen.push_back(static_cast<size_t>(r));
      for (auto q = static_cast<size_t>(s.begin); q < static_cast<size_t>(s.end); ++q) {
        seen.push_back(q);
        const auto window = static_cast<size_t>(c.shape.window);
        const size_t skip = window > 0 && seen.size() > window ? seen.size() - window : 0;
        for (size_t head = 0; head < heads; ++head) {
          const double* query = c.qkv.data() + q * ld + head * d;
          const size_t key = (heads + head / (heads / kv_heads)) * d, value = key + kv_heads * d;
          Values p;
          double total = 0.0;
          for (size_t k = skip; k < seen.size(); ++k) {
            double score = 0.0;
            for (size_t j = 0; j < d; ++j) score += query[j] * c.qkv[seen[k] * ld + key + j];
            p.push_back(std::exp(score * static_cast<double>(c.shape.scale)));
            total += p.back();
          }
          for (size_t k = skip; k < seen.size(); ++k) {
            for (size_t j = 0; j < d; ++j) f.out[(q * heads + head) * d + j] += p[k - skip] / total * c.qkv[seen[k] * ld + value + j];
          }
          f.lse[q * heads + head] = std::log(total);
        }
      }
    }
    return f;
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
      // The backward takes the stored, rounded output: bf16's error grows with the sums over queries.
      expect_near(got.dqkv, gradient(c.qkv, [&] { return dot(reference(c).out, c.dout); }), "dqkv", 4.0);
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
    expect_near(got.dqkv, expected.dqkv, "dqkv of the CPU", 8.0);
  }
}

TEST_P(CudaAttention, HeadsOfEverySize) {
  for (const int64_t head_dim : {between(57, 64), between(65, 127), int64_t{128}, between(129, 255), int64_t{256}}) {
    const Case c = draw(1, 5, 1, head_dim, 0);
    const Results got = run(c, 64), expected = of_cpu(c);
    expect_near(got.out, expected.out, "out");
    expect_near(got.dqkv, expected.dqkv, "dqkv", 8.0);
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
  expect_near(got.dqkv, gradient(c.qkv, [&] { return dot(reference(c).out, c.dout); }), "dqkv", 4.0);
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
