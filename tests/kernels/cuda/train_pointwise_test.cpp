// Oracles: plain loops in double, their central differences, and the scalar CPU kernels.
#include <numeric>

#include "train_fixture.h"

namespace grpo::kernels {
namespace {

class CudaPointwise : public CudaTrain {
 protected:
  struct Swiglu {
    Values y, dgate_up;
    bool operator==(const Swiglu&) const = default;
  };
  Swiglu run(const Values& gate_up, const Values& dy, int64_t rows, int64_t dim, size_t guard) const {
    Array in(GetParam(), gate_up, guard), gradient(GetParam(), dy, guard), y(GetParam(), dy.size(), guard),
        dgate_up(GetParam(), gate_up.size(), guard);
    cuda().swiglu(in.data(), y.data(), rows, dim, nullptr);
    cuda().swiglu_backward(gradient.data(), in.data(), dgate_up.data(), rows, dim, nullptr);
    return {y.read(), dgate_up.read()};
  }
};

TEST_P(CudaPointwise, SwigluEqualsTheFormulaItsDifferencesAndTheCpu) {
  for (const auto& [rows, dim] :
       {std::pair(int64_t{0}, int64_t{3}), std::pair(between(1, 4), between(1, 9)), std::pair(int64_t{2}, between(257, 290))}) {
    Values gate_up = randoms(rows * 2 * dim, 3.0);
    const Values dy = randoms(rows * dim);
    const Swiglu got = in_every_order([&, n = rows, d = dim](size_t guard) { return run(gate_up, dy, n, d, guard); });
    const auto reference = [&, n = static_cast<size_t>(rows), d = static_cast<size_t>(dim)] {
      Values y;
      for (size_t r = 0; r < n; ++r) {
        for (size_t j = 0; j < d; ++j) {
          const double gate = gate_up[r * 2 * d + j];
          y.push_back(gate / (1.0 + std::exp(-gate)) * gate_up[r * 2 * d + d + j]);
        }
      }
      return y;
    };
    expect_near(got.y, reference(), "y");
    expect_near(got.dgate_up, gradient(gate_up, [&] { return dot(reference(), dy); }), "dgate_up");
    const auto in = floats(gate_up), dout = floats(dy);
    std::vector<float> y(dout.size()), dgate_up(in.size());
    cpu().swiglu(in.data(), y.data(), rows, dim);
    cpu().swiglu_backward(dout.data(), in.data(), dgate_up.data(), rows, dim);
    expect_near(got.y, doubles(y), "y of the CPU");
    expect_near(got.dgate_up, doubles(dgate_up), "dgate_up of the CPU");
  }
}

TEST_P(CudaPointwise, EmbeddingGathersAndAddsEqualIdsInOrder) {
  for (const int64_t rows : {int64_t{0}, int64_t{1}, between(30, 60)}) {
    const int64_t vocab = between(2, 12), dim = between(250, 270);
    const auto d = static_cast<size_t>(dim), n = static_cast<size_t>(rows);
    const Values table = randoms(vocab * dim), dout = randoms(rows * dim), before = randoms(vocab * dim);
    Ids ids;
    for (int64_t r = 0; r < rows; ++r) ids.push_back(static_cast<int32_t>(between(0, vocab - 1)));
    std::vector<int64_t> order(n);
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return ids[static_cast<size_t>(a)] < ids[static_cast<size_t>(b)]; });
    const auto [out, dtable] = in_every_order([&](size_t guard) {
      Array weights(GetParam(), table, guard), y(GetParam(), n * d, guard), dy(GetParam(), dout, guard), total(GetParam(), before, guard);
      Plain<int32_t> device_ids(ids, guard);
      Plain<int64_t> device_order(order, guard);
      cuda().embedding(device_ids.data(), weights.data(), y.data(), rows, dim, nullptr);
      cuda().embedding_backward(dy.data(), device_ids.data(), device_order.data(), total.data(), rows, dim, nullptr);
      return std::pair(y.read(), total.read());
    });
    Values gathered, total = before;
    for (size_t r = 0; r < n; ++r) {
      const size_t at = static_cast<size_t>(ids[r]) * d;
      for (size_t j = 0; j < d; ++j) {
        gathered.push_back(table[at + j]);
        total[at + j] += dout[r * d + j];
      }
    }
    EXPECT_EQ(out, gathered);
    expect_near(dtable, total, "dtable");
  }
}

TEST_P(CudaPointwise, AdamWFollowsItsPublishedRuleAndTheCpu) {
  const int64_t n = between(600, 900), begin = between(0, 20), end = n - between(0, 20);
  const Values masters = random_floats(n), gradients = randoms(n), exp_avg = random_floats(n, 0.1);
  Values exp_avg_sq = random_floats(n, 0.1);
  for (double& v : exp_avg_sq) v = static_cast<float>(v * v);
  const AdamWStep s{1e-2F, 0.9F, 0.99F, 1e-8F, 0.1F, 0.19F, 0.0199F, 0.5F};
  const auto got = in_every_order([&](size_t guard) {
    Array w(Element::kF32, masters, guard), rounded(GetParam(), masters, guard), g(GetParam(), gradients, guard),
        m(Element::kF32, exp_avg, guard), v(Element::kF32, exp_avg_sq, guard);
    cuda().adamw(w.floats(), rounded.data(), g.data(), m.floats(), v.floats(), begin, end, s, nullptr);
    return std::vector{w.read(), m.read(), v.read(), rounded.read()};
  });
  Values w = masters, m = exp_avg, v = exp_avg_sq;
  for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {  // Loshchilov and Hutter, Algorithm 2
    const double g = 0.5 * gradients[i];
    m[i] = 0.9 * m[i] + 0.1 * g;
    v[i] = 0.99 * v[i] + 0.01 * g * g;
    w[i] = w[i] * (1 - 1e-2 * 0.1) - 1e-2 * (m[i] / 0.19) / (std::sqrt(v[i] / 0.0199) + 1e-8);
  }
  expect_within(got[0], w, 1e-6, "masters");
  expect_within(got[1], m, 1e-6, "exp_avg");
  expect_within(got[2], v, 1e-6, "exp_avg_sq");
  for (size_t i = 0; i < w.size(); ++i) {
    const bool updated = static_cast<int64_t>(i) >= begin && static_cast<int64_t>(i) < end;
    EXPECT_EQ(got[3][i], rounded(updated ? got[0][i] : masters[i])) << "weights are the rounded masters";
  }
  auto cpu_w = floats(masters), cpu_m = floats(exp_avg), cpu_v = floats(exp_avg_sq);
  cpu().adamw(cpu_w.data(), floats(gradients).data(), cpu_m.data(), cpu_v.data(), begin, end, s);
  expect_within(got[0], doubles(cpu_w), 1e-6, "masters of the CPU");
}

TEST_P(CudaPointwise, AdamWLeavesAbsentWeightsAndEmptyRangesAlone) {
  const Values ones(5, 1.0);
  Array w(Element::kF32, ones, 64), g(GetParam(), ones, 64), m(Element::kF32, ones, 64), v(Element::kF32, ones, 64);
  const AdamWStep s{1e-2F, 0.9F, 0.99F, 1e-8F, 0.0F, 1.0F, 1.0F, 1.0F};
  cuda().adamw(w.floats(), nullptr, g.data(), m.floats(), v.floats(), 3, 3, s, nullptr);
  EXPECT_EQ(w.read(), ones);
  cuda().adamw(w.floats(), nullptr, g.data(), m.floats(), v.floats(), 0, 5, s, nullptr);
  expect_within(w.read(), Values(5, 0.99), 1e-6, "masters");
}

TEST_P(CudaPointwise, SumOfSquaresIsTheSumInDouble) {
  for (const int64_t count : {int64_t{0}, between(1, 300), 2 * kSquareBlock + between(-5, 5)}) {
    const Values x = randoms(count);
    const double got = in_every_order([&](size_t guard) {
      Array values(GetParam(), x, guard);
      Memory<double> partials(static_cast<size_t>(square_partials(count)), guard), result(1, guard);
      cuda().sum_of_squares(values.data(), count, partials.data(), result.data(), nullptr);
      return result.read()[0];
    });
    EXPECT_NEAR(got, dot(x, x), 1e-12 * (1.0 + dot(x, x))) << count;
    EXPECT_NEAR(got, cpu().sum_of_squares(floats(x).data(), count), 1e-12 * (1.0 + got)) << count;
  }
}

// Sums of more partial results than the last kernel has threads.
TEST(CudaSquares, OfManyBlocks) {
  const int64_t count = 257 * kSquareBlock + 3;
  std::vector<bf16> x(static_cast<size_t>(count), from_float<bf16>(0.0F));
  for (int64_t i = 0; i < count; i += kSquareBlock / 2) x[static_cast<size_t>(i)] = from_float<bf16>(2.0F);
  const Memory<bf16> values(x, 0);
  const Memory<double> partials(static_cast<size_t>(square_partials(count)), 0), result(1, 0);
  cuda_train_kernels(Element::kBF16).sum_of_squares(values.data(), count, partials.data(), result.data(), nullptr);
  EXPECT_EQ(result.read()[0], 4.0 * 515);
}

INSTANTIATE_TEST_SUITE_P(Element, CudaPointwise, ::testing::Values(Element::kF32, Element::kBF16), name_of);

class CudaLogprob : public CudaTrain {
 protected:
  struct Case {
    int64_t rows, vocab, limit;
    float inverse_temperature;
    Values logits, dlogprobs, dentropy;
    Ids targets;
    auto log_softmax(size_t row) const {
      Values z;
      double total = 0.0;
      for (size_t j = 0; j < static_cast<size_t>(limit); ++j) {
        z.push_back(logits[row * static_cast<size_t>(vocab) + j] * static_cast<double>(inverse_temperature));
        total += std::exp(z.back());
      }
      for (double& v : z) v -= std::log(total);
      return std::pair(z, std::log(total));
    }
  };
  struct Results {
    Values logprobs, lse, entropy, dlogits;
    bool operator==(const Results&) const = default;
  };
  Case draw(int64_t rows, int64_t vocab) {
    Case c{rows,
           vocab,
           between(std::max<int64_t>(1, vocab / 2), vocab),
           1.25F,
           randoms(rows * vocab, 3.0),
           random_floats(rows),
           random_floats(rows),
           {}};
    for (int64_t r = 0; r < rows; ++r) c.targets.push_back(static_cast<int32_t>(between(0, c.limit - 1)));
    return c;
  }
  static Results reference(const Case& c, bool with_entropy) {
    Results r;
    for (size_t row = 0; row < static_cast<size_t>(c.rows); ++row) {
      const auto [z, lse] = c.log_softmax(row);
      double h = 0.0;
      for (const double lp : z) h -= std::exp(lp) * lp;
      r.logprobs.push_back(z[static_cast<size_t>(c.targets[row])]);
      r.lse.push_back(lse);
      if (with_entropy) r.entropy.push_back(h);
    }
    return r;
  }
  static double loss(const Case& c, bool with_entropy) {
    const Results r = reference(c, with_entropy);
    return dot(r.logprobs, c.dlogprobs) + dot(r.entropy, c.dentropy);
  }
  Results run(const Case& c, bool with_entropy, size_t guard) const {
    const auto rows = static_cast<size_t>(c.rows);
    Array logits(GetParam(), c.logits, guard), logprobs(Element::kF32, rows, guard), lse(Element::kF32, rows, guard),
        entropy(Element::kF32, with_entropy ? rows : 0, guard), dlogprobs(Element::kF32, c.dlogprobs, guard),
        dentropy(Element::kF32, c.dentropy, guard);
    Plain<int32_t> targets(c.targets, guard);
    float* entropies = with_entropy ? entropy.floats() : nullptr;
    cuda().token_logprob(logits.data(), targets.data(), logprobs.floats(), lse.floats(), entropies, c.rows, c.vocab, c.limit,
                         c.inverse_temperature, nullptr);
    cuda().token_logprob_backward(logits.data(), targets.data(), lse.floats(), entropies, dlogprobs.floats(),
                                  with_entropy ? dentropy.floats() : nullptr, c.rows, c.vocab, c.limit, c.inverse_temperature, nullptr);
    return {logprobs.read(), lse.read(), entropy.read(), logits.read()};
  }
};

TEST_P(CudaLogprob, EqualsTheFormulaAndItsDifferences) {
  for (const auto& [rows, vocab] :
       {std::pair(int64_t{0}, int64_t{5}), std::pair(between(1, 4), between(1, 60)), std::pair(int64_t{1}, between(600, 700))}) {
    for (const bool with_entropy : {false, true}) {
      Case c = draw(rows, vocab);
      const Results got = in_every_order([&](size_t guard) { return run(c, with_entropy, guard); }), expected = reference(c, with_entropy);
      expect_within(got.logprobs, expected.logprobs, 2e-6, "logprobs");
      expect_within(got.lse, expected.lse, 2e-6, "lse");
      expect_within(got.entropy, expected.entropy, 5e-6, "entropy");
      expect_near(got.dlogits, gradient(c.logits, [&] { return loss(c, with_entropy); }), "dlogits");
    }
  }
}

// Of the gradient by its formula: dlogits_j = (g ([j = target] - p_j) - h p_j (log p_j + H)) / T.
TEST_P(CudaLogprob, EqualsTheFormulaOnLongRows) {
  Case c = draw(between(1, 2), between(5000, 9000));
  c.targets.back() = static_cast<int32_t>(c.limit - 1);
  for (double& v : c.dlogprobs) v *= 1024.0;  // so that probabilities of 1e-4 count
  for (double& v : c.dentropy) v *= 1024.0;
  const Results got = in_every_order([&](size_t guard) { return run(c, true, guard); }), expected = reference(c, true);
  for (int64_t r = 0; r < c.rows; ++r) {
    const auto row = static_cast<size_t>(r);
    for (int64_t j = 0; j < c.vocab; ++j) {
      const auto at = static_cast<size_t>(r * c.vocab + j);
      const double log_p = c.logits[at] * c.inverse_temperature - expected.lse[row], p = std::exp(log_p);
      const double hit = j == c.targets[row] ? 1.0 : 0.0, g = c.dlogprobs[row], h = c.dentropy[row], entropy = expected.entropy[row];
      const double dlogit = j < c.limit ? g * (hit - p) - h * p * (log_p + entropy) : 0.0;
      const double terms = std::abs(g) * (hit + p) + std::abs(h) * p * (std::abs(log_p) + entropy);  // which may cancel
      ASSERT_NEAR(got.dlogits[at], c.inverse_temperature * dlogit,
                  (GetParam() == Element::kF32 ? 1e-5 : 4e-3) * c.inverse_temperature * terms + 1e-12)
          << "row " << r << " column " << j;
    }
  }
  expect_within(got.logprobs, expected.logprobs, 2e-6, "logprobs");
  expect_within(got.lse, expected.lse, 2e-6, "lse");
  expect_within(got.entropy, expected.entropy, 5e-6, "entropy");
}

// Hand values: a target beyond the limit has probability 0; logits of -infinity have no weight, in the entropy neither.
TEST_P(CudaLogprob, ImpossibleTokens) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Case c{2, 4, 3, 1.0F, {1.0, -infinity, 1.0, 9.0, -infinity, -infinity, 2.0, 9.0}, {1.0, 1.0}, {0.5, 0.5}, {3, 1}};
  const Results got = in_every_order([&](size_t guard) { return run(c, true, guard); });
  EXPECT_EQ(got.logprobs, (Values{-infinity, -infinity}));
  expect_within(got.lse, {1.0 + std::log(2.0), 2.0}, 1e-6, "lse");
  expect_within(got.entropy, {std::log(2.0), 0.0}, 1e-6, "entropy");
  expect_near(got.dlogits, {-0.5, 0.0, -0.5, 0.0, 0.0, 1.0, -1.0, 0.0}, "dlogits");
}

INSTANTIATE_TEST_SUITE_P(Element, CudaLogprob, ::testing::Values(Element::kF32, Element::kBF16), name_of);

}  // namespace
}  // namespace grpo::kernels
