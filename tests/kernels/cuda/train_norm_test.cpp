// Oracles: plain loops in double, their central differences, and the scalar CPU kernels.
#include <cmath>

#include "train_fixture.h"

namespace grpo::kernels {
namespace {

constexpr float kEps = 1e-5F;

class CudaNorm : public CudaTrain {
 protected:
  struct Results {
    Values y, rstd, dx, dweight;
    bool operator==(const Results&) const = default;
  };
  struct Case {
    int64_t rows, dim;
    Values x, weight, dy, before;  // before: what dweight is added to
  };
  Case draw(int64_t rows, int64_t dim) { return {rows, dim, randoms(rows * dim), randoms(dim), randoms(rows * dim), random_floats(dim)}; }
  Results run(const Case& c, size_t guard) {
    const auto rows = static_cast<size_t>(c.rows), dim = static_cast<size_t>(c.dim);
    Array x(GetParam(), c.x, guard), weight(GetParam(), c.weight, guard), dy(GetParam(), c.dy, guard), y(GetParam(), c.x.size(), guard),
        dx(GetParam(), c.x.size(), guard), rstd(Element::kF32, rows, guard), dweight(Element::kF32, c.before, guard),
        partials(Element::kF32, static_cast<size_t>(std::min(c.rows, kPartialBlocks)) * dim, guard);
    cuda().rms_norm(x.data(), weight.data(), y.data(), rstd.floats(), c.rows, c.dim, kEps, nullptr);
    cuda().rms_norm_backward(dy.data(), x.data(), weight.data(), rstd.floats(), dx.data(), dweight.floats(), partials.floats(), c.rows,
                             c.dim, nullptr);
    return {y.read(), rstd.read(), dx.read(), dweight.read()};
  }
  static Values reference(const Values& x, const Values& weight) {
    Values y;
    const size_t dim = weight.size();
    for (size_t row = 0; row < x.size(); row += dim) {
      double squares = 0.0;
      for (size_t j = 0; j < dim; ++j) squares += x[row + j] * x[row + j];
      const double factor = 1.0 / std::sqrt(squares / static_cast<double>(dim) + static_cast<double>(kEps));
      for (size_t j = 0; j < dim; ++j) y.push_back(x[row + j] * factor * weight[j]);
    }
    return y;
  }
};

TEST_P(CudaNorm, RmsNormEqualsTheFormulaAndItsDifferences) {
  for (const int64_t rows : {int64_t{0}, int64_t{1}, between(2, 5)}) {
    Case c = draw(rows, between(33, 70));
    const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
    expect_near(got.y, reference(c.x, c.weight), "y");
    const auto loss = [&] { return dot(reference(c.x, c.weight), c.dy); };
    expect_near(got.dx, gradient(c.x, loss), "dx", 2.0);
    expect_within(got.dweight, sum(c.before, gradient(c.weight, loss)), 1e-5, "dweight");
  }
}

TEST_P(CudaNorm, RmsNormAgreesWithTheCpu) {
  const auto shapes = {std::pair(between(1, 2), between(1200, 1500)), std::pair(kPartialBlocks + between(1, 20), between(8, 40))};
  for (const auto& [rows, dim] : shapes) {
    const Case c = draw(rows, dim);
    const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
    const auto x = floats(c.x), weight = floats(c.weight), dy = floats(c.dy);
    std::vector<float> y(x.size()), rstd(static_cast<size_t>(rows)), dx(x.size()), dweight = floats(c.before);
    cpu().rms_norm(x.data(), weight.data(), y.data(), rstd.data(), rows, dim, kEps);
    cpu().rms_norm_backward(dy.data(), x.data(), weight.data(), rstd.data(), dx.data(), dweight.data(), rows, dim);
    expect_near(got.y, doubles(y), "y");
    expect_within(got.rstd, doubles(rstd), 1e-5, "rstd");
    expect_near(got.dx, doubles(dx), "dx");
    expect_within(got.dweight, doubles(dweight), 2e-5, "dweight");
  }
}

INSTANTIATE_TEST_SUITE_P(Element, CudaNorm, ::testing::Values(Element::kF32, Element::kBF16), name_of);

class CudaRope : public CudaTrain {
 protected:
  struct Results {
    Values out, rstd, dqkv, dq_norm, dk_norm;
    bool operator==(const Results&) const = default;
  };
  struct Case {
    int64_t rows, heads, kv_heads, dim, pairs;
    bool q_normed, k_normed;
    Values qkv, q_norm, k_norm, dout, cos, sin, dq_before, dk_before;
    Ids positions;
    int64_t row_dim() const { return (heads + 2 * kv_heads) * dim; }
  };
  Case draw(int64_t rows, int64_t group, int64_t dim, int64_t pairs, bool q_normed, bool k_normed) {
    Case c;
    c.rows = rows;
    c.kv_heads = between(1, 2);
    c.heads = group * c.kv_heads;
    c.dim = dim;
    c.pairs = pairs;
    c.q_normed = q_normed;
    c.k_normed = k_normed;
    c.qkv = randoms(rows * c.row_dim());
    c.dout = randoms(rows * c.row_dim());
    c.q_norm = randoms(dim);
    c.k_norm = randoms(dim);
    c.dq_before = random_floats(dim);
    c.dk_before = random_floats(dim);
    const int64_t positions = between(3, 9);
    for (const double angle : random_floats(positions * pairs)) {
      c.cos.push_back(static_cast<float>(std::cos(angle)));
      c.sin.push_back(static_cast<float>(std::sin(angle)));
    }
    for (int64_t r = 0; r < rows; ++r) c.positions.push_back(static_cast<int32_t>(between(0, positions - 1)));
    return c;
  }
  Results run(const Case& c, size_t guard) {
    const auto dim = static_cast<size_t>(c.dim), normed = static_cast<size_t>(c.rows * (c.heads + c.kv_heads));
    const bool any = c.q_normed || c.k_normed;
    const int64_t blocks = std::min(div_up<int64_t>(c.rows * (c.heads + 2 * c.kv_heads), 8), kPartialBlocks);
    Array qkv(GetParam(), c.qkv, guard), q_norm(GetParam(), c.q_norm, guard), k_norm(GetParam(), c.k_norm, guard),
        dout(GetParam(), c.dout, guard), out(GetParam(), c.qkv.size(), guard), dqkv(GetParam(), c.qkv.size(), guard),
        cos(Element::kF32, c.cos, guard), sin(Element::kF32, c.sin, guard), rstd(Element::kF32, any ? normed : 0, guard),
        dq(Element::kF32, c.dq_before, guard), dk(Element::kF32, c.dk_before, guard),
        partials(Element::kF32, any ? static_cast<size_t>(blocks) * 2 * dim : 0, guard);
    Plain<int32_t> positions(c.positions, guard);
    const QkNormRope args{.qkv = qkv.data(),
                          .q_norm = c.q_normed ? q_norm.data() : nullptr,
                          .k_norm = c.k_normed ? k_norm.data() : nullptr,
                          .cos = cos.floats(),
                          .sin = sin.floats(),
                          .positions = positions.data(),
                          .rstd = rstd.floats(),
                          .rows = c.rows,
                          .heads = c.heads,
                          .kv_heads = c.kv_heads,
                          .head_dim = c.dim,
                          .pairs = c.pairs};
    cuda().qk_norm_rope(args, out.data(), kEps, nullptr);
    cuda().qk_norm_rope_backward(args, {dout.data(), dqkv.data(), dq.floats(), dk.floats(), any ? partials.floats() : nullptr}, nullptr);
    Values rstds = rstd.read();
    std::replace_if(
        rstds.begin(), rstds.end(), [](double v) { return std::isnan(v); }, 0.0);  // of heads without a norm: not written
    return {out.read(), rstds, dqkv.read(), dq.read(), dk.read()};
  }
  static Values reference(const Case& c) {
    Values out = c.qkv;
    const auto dim = static_cast<size_t>(c.dim), pairs = static_cast<size_t>(c.pairs);
    for (size_t r = 0; r < static_cast<size_t>(c.rows); ++r) {
      for (size_t head = 0; head < static_cast<size_t>(c.heads + c.kv_heads); ++head) {
        const bool query = head < static_cast<size_t>(c.heads);
        double* y = out.data() + r * static_cast<size_t>(c.row_dim()) + head * dim;
        if (query ? c.q_normed : c.k_normed) {
          double squares = 0.0;
          for (size_t j = 0; j < dim; ++j) squares += y[j] * y[j];
          const double factor = 1.0 / std::sqrt(squares / static_cast<double>(dim) + static_cast<double>(kEps));
          for (size_t j = 0; j < dim; ++j) y[j] *= factor * (query ? c.q_norm : c.k_norm)[j];
        }
        for (size_t i = 0; i < pairs; ++i) {
          const size_t at = static_cast<size_t>(c.positions[r]) * pairs + i;
          const double a = y[i], b = y[i + pairs];
          y[i] = a * c.cos[at] - b * c.sin[at];
          y[i + pairs] = b * c.cos[at] + a * c.sin[at];
        }
      }
    }
    return out;
  }
};

TEST_P(CudaRope, QkNormRopeEqualsTheFormulaAndItsDifferences) {
  for (const auto& [q_normed, k_normed] :
       {std::pair(false, false), std::pair(true, true), std::pair(true, false), std::pair(false, true)}) {
    const int64_t dim = between(4, 40);
    Case c = draw(between(1, 3), between(0, 1) == 0 ? 1 : 7, dim, between(0, dim / 2), q_normed, k_normed);
    const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
    expect_near(got.out, reference(c), "out");
    const auto loss = [&] { return dot(reference(c), c.dout); };
    expect_near(got.dqkv, gradient(c.qkv, loss), "dqkv", 4.0);
    expect_within(got.dq_norm, sum(c.dq_before, gradient(c.q_norm, loss)), 1e-5, "dq_norm");
    expect_within(got.dk_norm, sum(c.dk_before, gradient(c.k_norm, loss)), 1e-5, "dk_norm");
  }
}

TEST_P(CudaRope, QkNormRopeAgreesWithTheCpu) {
  for (const auto& [rows, dim] : {std::pair(int64_t{0}, int64_t{8}), std::pair(between(1, 3), 2 * between(64, 80)),
                                  std::pair(8 * kPartialBlocks / 9 + between(1, 20), 2 * between(4, 8))}) {
    const Case c = draw(rows, 7, dim, dim / 2, true, true);
    const Results got = in_every_order([&](size_t guard) { return run(c, guard); });
    const AttentionShape shape{c.heads, c.kv_heads, dim, 0, 1.0F};
    const auto qkv = floats(c.qkv), q_norm = floats(c.q_norm), k_norm = floats(c.k_norm), dout = floats(c.dout), cos = floats(c.cos),
               sin = floats(c.sin);
    std::vector<float> out(qkv.size()), rstd(static_cast<size_t>(rows * (c.heads + c.kv_heads))), dqkv(qkv.size()),
        dq = floats(c.dq_before), dk = floats(c.dk_before);
    cpu().qk_norm_rope(qkv.data(), q_norm.data(), k_norm.data(), cos.data(), sin.data(), c.positions.data(), out.data(), rstd.data(), rows,
                       shape, kEps);
    cpu().qk_norm_rope_backward(dout.data(), qkv.data(), q_norm.data(), k_norm.data(), cos.data(), sin.data(), c.positions.data(),
                                rstd.data(), dqkv.data(), dq.data(), dk.data(), rows, shape);
    expect_near(got.out, doubles(out), "out");
    expect_within(got.rstd, doubles(rstd), 1e-5, "rstd");
    expect_near(got.dqkv, doubles(dqkv), "dqkv", 4.0);
    const double of_sums = 5e-5 * std::sqrt(1.0 + static_cast<double>(rows));  // added in another order
    expect_within(got.dq_norm, doubles(dq), of_sums, "dq_norm");
    expect_within(got.dk_norm, doubles(dk), of_sums, "dk_norm");
  }
}

INSTANTIATE_TEST_SUITE_P(Element, CudaRope, ::testing::Values(Element::kF32, Element::kBF16), name_of);

}  // namespace
}  // namespace grpo::kernels
