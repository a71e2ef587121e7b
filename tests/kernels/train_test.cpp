// Oracle: plain loops in double over random shapes and values drawn afresh, for every instruction set of this machine.
#include "train_support.h"

namespace grpo::kernels {
namespace {

template <class F>
std::vector<double> gradient(Floats& x, const F& loss) {  // central differences in double of a loss computed by the reference
  std::vector<double> result;
  for (auto& v : x) {
    const float keep = v;
    const float step = 1e-2F;
    v = keep + step;
    const double up = loss();
    v = keep - step;
    const double down = loss();
    v = keep;
    result.push_back((up - down) / (2.0 * static_cast<double>(step)));
  }
  return result;
}

std::vector<double> reference_norm(const Floats& x, const Floats& w, int64_t rows, int64_t dim) {
  std::vector<double> y;
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0.0;
    for (int64_t j = 0; j < dim; ++j) sum += std::pow(static_cast<double>(x[static_cast<size_t>(r * dim + j)]), 2);
    const double rstd = 1.0 / std::sqrt(sum / static_cast<double>(dim) + 1e-5);
    for (int64_t j = 0; j < dim; ++j) y.push_back(x[static_cast<size_t>(r * dim + j)] * rstd * w[static_cast<size_t>(j)]);
  }
  return y;
}

double weighted(const std::vector<double>& y, const Floats& dy) {
  double sum = 0.0;
  for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
  return sum;
}

TEST_P(Train, RmsNormAndBackward) {
  for (int round = 0; round < 4; ++round) {
    const int64_t rows = between(1, 5), dim = between(1, 37);
    Floats x = randoms(rows * dim), w = randoms(dim), dy = randoms(rows * dim), y(x.size()), rstd(static_cast<size_t>(rows)), dx(x.size()),
           dw(w.size());
    kernels().rms_norm(x.data(), w.data(), y.data(), rstd.data(), rows, dim, 1e-5F);
    expect_near(y, reference_norm(x, w, rows, dim), 1e-5, "y");
    kernels().rms_norm_backward(dy.data(), x.data(), w.data(), rstd.data(), dx.data(), dw.data(), rows, dim);
    const auto loss = [&] { return weighted(reference_norm(x, w, rows, dim), dy); };
    expect_near(dw, gradient(w, loss), 2e-3, "dweight");
    if (dim > 4) expect_near(dx, gradient(x, loss), 2e-2, "dx");
  }
}

double silu(double x) { return x / (1.0 + std::exp(-x)); }

TEST_P(Train, SwigluAndBackward) {
  const int64_t rows = between(1, 5), dim = between(1, 37);
  Floats gate_up = randoms(rows * 2 * dim), dy = randoms(rows * dim), y(dy.size()), dgate_up(gate_up.size());
  const auto reference = [&] {
    std::vector<double> out;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < dim; ++j) {
        out.push_back(silu(gate_up[static_cast<size_t>(r * 2 * dim + j)]) * gate_up[static_cast<size_t>(r * 2 * dim + dim + j)]);
      }
    }
    return out;
  };
  kernels().swiglu(gate_up.data(), y.data(), rows, dim);
  expect_near(y, reference(), 1e-6, "y");
  kernels().swiglu_backward(dy.data(), gate_up.data(), dgate_up.data(), rows, dim);
  expect_near(dgate_up, gradient(gate_up, [&] { return weighted(reference(), dy); }), 2e-3, "dgate_up");
}

/// A prompt with completions that see it or a part of it, and lone sequences, of random lengths; sometimes more than one tile.
struct AttentionCase {
  AttentionShape shape;
  std::vector<AttentionSegment> segments;
  int64_t rows = 0;
  explicit AttentionCase(int64_t longest) {
    shape.kv_heads = between(1, 2);
    shape.heads = shape.kv_heads * (between(0, 1) == 0 ? 1 : 7);
    shape.head_dim = 2 * between(1, 9);
    shape.window = between(0, 2) == 0 ? between(1, longest) : 0;
    shape.scale = 0.3F;
    for (int64_t group = between(1, 2); group > 0; --group) {
      const int64_t begin = rows, prompt = between(1, longest);
      segments.push_back({begin, begin + prompt, 0, 0});
      rows += prompt;
      for (int64_t sample = between(0, 2); sample > 0; --sample) {
        const int64_t length = between(1, longest), first = between(0, 1) == 0 ? 0 : between(0, prompt - 1);
        segments.push_back({rows, rows + length, begin + first, begin + between(first + 1, prompt)});
        rows += length;
      }
    }
  }
  std::vector<double> reference(const Floats& qkv) const {
    const int64_t d = shape.head_dim, ld = shape.row_stride(), group = shape.heads / shape.kv_heads;
    std::vector<double> out(static_cast<size_t>(rows * shape.heads * d));
    for (const auto& s : segments) {
      std::vector<int64_t> keys;
      for (int64_t r = s.prefix_begin; r < s.prefix_end; ++r) keys.push_back(r);
      for (int64_t q = s.begin; q < s.end; ++q) {
        keys.push_back(q);
        const size_t first =
            shape.window > 0 && static_cast<int64_t>(keys.size()) > shape.window ? keys.size() - static_cast<size_t>(shape.window) : 0;
        for (int64_t head = 0; head < shape.heads; ++head) {
          const int64_t ko = (shape.heads + head / group) * d, vo = ko + shape.kv_heads * d;
          std::vector<double> p;
          double sum = 0.0;
          for (size_t k = first; k < keys.size(); ++k) {
            double score = 0.0;
            for (int64_t j = 0; j < d; ++j)
              score +=
                  static_cast<double>(qkv[static_cast<size_t>(q * ld + head * d + j)]) * qkv[static_cast<size_t>(keys[k] * ld + ko + j)];
            p.push_back(std::exp(score * static_cast<double>(shape.scale)));
            sum += p.back();
          }
          for (size_t k = first; k < keys.size(); ++k) {
            for (int64_t j = 0; j < d; ++j)
              out[static_cast<size_t>(q * shape.heads * d + head * d + j)] +=
                  p[k - first] / sum * qkv[static_cast<size_t>(keys[k] * ld + vo + j)];
          }
        }
      }
    }
    return out;
  }
};

TEST_P(Train, AttentionOverPackedSegments) {
  for (int round = 0; round < 6; ++round) {
    const AttentionCase c(between(1, 70));
    const Floats qkv = randoms(c.rows * c.shape.row_stride());
    Floats out(static_cast<size_t>(c.rows * c.shape.heads * c.shape.head_dim)), lse(static_cast<size_t>(c.rows * c.shape.heads));
    kernels().attention(qkv.data(), out.data(), lse.data(), c.segments.data(), static_cast<int64_t>(c.segments.size()), c.shape);
    expect_near(out, c.reference(qkv), 1e-5, "out");
  }
}

TEST_P(Train, AttentionBackwardOverPackedSegments) {
  for (int round = 0; round < 3; ++round) {
    const AttentionCase c(4);
    Floats qkv = randoms(c.rows * c.shape.row_stride(), 0.7F);
    Floats out(static_cast<size_t>(c.rows * c.shape.heads * c.shape.head_dim)), lse(static_cast<size_t>(c.rows * c.shape.heads)),
        dqkv(qkv.size());
    const Floats dout = randoms(static_cast<int64_t>(out.size()));
    const auto count = static_cast<int64_t>(c.segments.size());
    kernels().attention(qkv.data(), out.data(), lse.data(), c.segments.data(), count, c.shape);
    kernels().attention_backward(dout.data(), qkv.data(), out.data(), lse.data(), dqkv.data(), c.segments.data(), count, c.shape);
    expect_near(dqkv, gradient(qkv, [&] { return weighted(c.reference(qkv), dout); }), 5e-3, "dqkv");
  }
}

TEST_P(Train, AttentionBackwardAgreesAcrossInstructionSets) {
  const AttentionCase c(70);
  const Floats qkv = randoms(c.rows * c.shape.row_stride());
  const Floats dout = randoms(c.rows * c.shape.heads * c.shape.head_dim);
  const auto count = static_cast<int64_t>(c.segments.size());
  const auto run = [&](const TrainKernels& k) {
    Floats out(dout.size()), lse(static_cast<size_t>(c.rows * c.shape.heads)), dqkv(qkv.size());
    k.attention(qkv.data(), out.data(), lse.data(), c.segments.data(), count, c.shape);
    k.attention_backward(dout.data(), qkv.data(), out.data(), lse.data(), dqkv.data(), c.segments.data(), count, c.shape);
    return dqkv;
  };
  const Floats plain = run(*available_cpu_kernels().back().train);
  expect_near(run(kernels()), {plain.begin(), plain.end()}, 1e-4, "dqkv");
}

TEST_P(Train, QkNormRopeAndBackward) {
  for (const bool normed : {false, true}) {
    const AttentionShape shape{between(1, 3), 1, 2 * between(2, 9), 0, 1.0F};
    const int64_t rows = between(1, 4), d = shape.head_dim, half = d / 2, positions = 9;
    Floats qkv = randoms(rows * shape.row_stride()), q_norm = randoms(d), k_norm = randoms(d), angle = randoms(positions * half), cos, sin;
    for (const float a : angle) {
      cos.push_back(std::cos(a));
      sin.push_back(std::sin(a));
    }
    std::vector<int32_t> at;
    for (int64_t r = 0; r < rows; ++r) at.push_back(static_cast<int32_t>(between(0, positions - 1)));
    const auto reference = [&] {
      std::vector<double> y(qkv.begin(), qkv.end());
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t head = 0; head < shape.heads + shape.kv_heads; ++head) {
          const auto base = static_cast<size_t>(r * shape.row_stride() + head * d);
          const Floats x(qkv.begin() + static_cast<int64_t>(base), qkv.begin() + static_cast<int64_t>(base) + d);
          const auto n = normed ? reference_norm(x, head < shape.heads ? q_norm : k_norm, 1, d) : std::vector<double>(x.begin(), x.end());
          for (int64_t i = 0; i < half; ++i) {
            const double c = cos[static_cast<size_t>(at[static_cast<size_t>(r)] * half + i)],
                         s = sin[static_cast<size_t>(at[static_cast<size_t>(r)] * half + i)];
            const double a = n[static_cast<size_t>(i)], b = n[static_cast<size_t>(i + half)];
            y[base + static_cast<size_t>(i)] = a * c - b * s;
            y[base + static_cast<size_t>(i + half)] = b * c + a * s;
          }
        }
      }
      return y;
    };
    Floats out(qkv.size()), rstd(static_cast<size_t>(rows * (shape.heads + shape.kv_heads))), dqkv(qkv.size()), dq(static_cast<size_t>(d)),
        dk(static_cast<size_t>(d));
    const float *qn = normed ? q_norm.data() : nullptr, *kn = normed ? k_norm.data() : nullptr;
    kernels().qk_norm_rope(qkv.data(), qn, kn, cos.data(), sin.data(), at.data(), out.data(), rstd.data(), rows, shape, 1e-5F);
    expect_near(out, reference(), 1e-5, "out");
    const Floats dout = randoms(static_cast<int64_t>(out.size()));
    kernels().qk_norm_rope_backward(dout.data(), qkv.data(), qn, kn, cos.data(), sin.data(), at.data(), rstd.data(), dqkv.data(), dq.data(),
                                    dk.data(), rows, shape);
    const auto loss = [&] { return weighted(reference(), dout); };
    expect_near(dqkv, gradient(qkv, loss), 2e-2, "dqkv");
    if (normed) {
      expect_near(dq, gradient(q_norm, loss), 2e-3, "dq_norm");
      expect_near(dk, gradient(k_norm, loss), 2e-3, "dk_norm");
    }
  }
}

TEST_P(Train, AdamWFollowsItsPublishedRule) {
  const int64_t n = 37;
  Floats w = randoms(n), g = randoms(n), m = randoms(n, 0.1F), v = randoms(n, 0.1F);
  for (auto& x : v) x = x * x;
  const AdamWStep s{1e-2F, 0.9F, 0.99F, 1e-8F, 0.1F, 0.19F, 0.0199F, 0.5F};
  std::vector<double> expected(w.begin(), w.end());
  for (size_t i = 3; i < 30; ++i) {
    const double grad = 0.5 * g[i], mm = 0.9 * m[i] + 0.1 * grad, vv = 0.99 * v[i] + 0.01 * grad * grad;
    expected[i] = expected[i] * (1 - 1e-2 * 0.1) - 1e-2 * (mm / 0.19) / (std::sqrt(vv / 0.0199) + 1e-8);
  }
  kernels().adamw(w.data(), g.data(), m.data(), v.data(), 3, 30, s);
  expect_near(w, expected, 1e-5, "weights");
  double sum = 0.0;
  for (const float x : g) sum += static_cast<double>(x) * x;
  EXPECT_NEAR(kernels().sum_of_squares(g.data(), n), sum, 1e-9 * sum);
}

INSTANTIATE_TEST_SUITE_P(Isa, Train, ::testing::Range(size_t{0}, available_cpu_kernels().size()), isa_name);

}  // namespace
}  // namespace grpo::kernels
