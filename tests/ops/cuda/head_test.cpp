// Oracle: the same head with memory for all logits at once. Rows of the forward and columns of the backward come in several pieces, the
// last one smaller; in float32 a row's sums do not depend on its piece.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ops/cuda_parts.h"
#include "support/place.h"

namespace grpo {
namespace {

class CudaHead : public ::testing::TestWithParam<testing::Place> {
 protected:
  CudaHead() : use_(GetParam()) {}
  at::Tensor values(at::IntArrayRef shape) const { return at::randn(shape, at::kFloat).to(GetParam().device, GetParam().dtype); }
  at::Tensor floats(at::IntArrayRef shape) const { return at::randn(shape, at::kFloat).to(GetParam().device); }

  struct Result {
    ops::HeadOutput out;
    at::Tensor dhidden, dweight;
  };
  Result run(const ops::HeadInput& in, const at::Tensor& dlogprobs, const at::Tensor& dentropy, const at::Tensor& before,
             int64_t bytes) const {
    const at::Tensor empty = at::empty_like(dlogprobs);
    Result r{{empty.clone(), empty.clone(), empty.clone()}, at::empty_like(in.hidden), before.clone()};
    ops::cuda::linear_logprob(in, r.out, bytes);
    ops::cuda::linear_logprob_backward(in, {r.out.lse, r.out.entropy, dlogprobs, dentropy}, r.dhidden, r.dweight, bytes);
    return r;
  }

 private:
  testing::At use_;
};
INSTANTIATE_TEST_SUITE_P(Places, CudaHead, ::testing::ValuesIn(testing::places()), testing::place_name);

void expect_near(const at::Tensor& got, const at::Tensor& expected, double tolerance, const char* what) {
  const double scale = 1.0 + expected.abs().max().item<double>();
  EXPECT_LE((got.to(at::kFloat) - expected.to(at::kFloat)).abs().max().item<double>(), tolerance * scale) << what;
}

TEST_P(CudaHead, PiecesOfLogitsGiveWhatAllOfThemGive) {
  const int64_t rows = 11, width = 9, vocab = 300, limit = 277;
  const ops::HeadInput in{.hidden = values({rows, width}),
                          .weight = values({vocab, width}),
                          .targets = at::randint(0, limit, {rows}, at::kInt).to(GetParam().device),
                          .temperature = 0.8,
                          .limit = limit};
  const at::Tensor dlogprobs = floats({rows}), dentropy = floats({rows}), before = values({vocab, width});
  const Result whole = run(in, dlogprobs, dentropy, before, int64_t{1} << 20);
  for (const int64_t bytes : {int64_t{1}, int64_t{4 * 320 * 4}, int64_t{rows * 6 * 128}}) {
    const Result pieces = run(in, dlogprobs, dentropy, before, bytes);
    expect_near(pieces.out.logprobs, whole.out.logprobs, 1e-6, "log-probs");
    expect_near(pieces.out.lse, whole.out.lse, 1e-6, "log-sum-exps");
    expect_near(pieces.out.entropy, whole.out.entropy, 1e-6, "entropies");
    expect_near(pieces.dhidden, whole.dhidden, 1e-5 * GetParam().slack(), "dhidden");
    expect_near(pieces.dweight, whole.dweight, 1e-6 * GetParam().slack(), "dweight");
  }
  EXPECT_TRUE(whole.dweight.narrow(0, limit, vocab - limit).equal(before.narrow(0, limit, vocab - limit))) << "masked rows learn nothing";
}

}  // namespace
}  // namespace grpo
