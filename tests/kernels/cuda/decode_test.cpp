// CUDA kernels of the decode engine, executed on the host. Oracle throughout: plain loops in double over the stored values. Shapes are
// drawn afresh in every run; the seed is printed on failure.
#include "decode_cuda.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "device_array.h"

namespace grpo::kernels {
namespace {

using testing::DeviceArray;
using testing::Draws;
using testing::rounding;
using testing::Stored;
using Floats = std::vector<float>;

class CudaDecode : public ::testing::Test {
 protected:
  CudaDecode() : trace_(__FILE__, __LINE__, "seed " + std::to_string(draws_.seed())) {}
  Draws draws_;
  ::testing::ScopedTrace trace_;
};

TEST_F(CudaDecode, EmbedGathersRowsAndLeavesIdleOnes) {
  for (int round = 0; round < 20; ++round) {
    draws_.shuffle_order();
    const int64_t n = round == 0 ? 0 : draws_.pick(1, 9), vocab = draws_.pick(1, 30), hidden = draws_.pick(1, 600);
    const Element element = draws_.element();
    const Stored table(draws_.normals(vocab * hidden), element);
    std::vector<StepRow> rows(static_cast<size_t>(n));
    for (StepRow& row : rows) {
      if (draws_.pick(0, 3) > 0)
        row = {static_cast<int32_t>(draws_.pick(0, vocab - 1)), 0, 3};
      else
        row.token = static_cast<int32_t>(vocab + 1000000);  // beyond the table
    }
    const DeviceArray<StepRow> on_device(rows);
    const Floats before(static_cast<size_t>(n * hidden), -7.0F);
    const DeviceArray<float> out(before);
    embed_cuda(on_device.data(), n, table.data(), element, hidden, out.data(), nullptr);
    const Floats values = table.read(), found = out.read();
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t i = 0; i < hidden; ++i) {
        const StepRow& row = rows[static_cast<size_t>(r)];
        ASSERT_EQ(found[static_cast<size_t>(r * hidden + i)],
                  row.sequence < 0 ? -7.0F : values[static_cast<size_t>(row.token * hidden + i)]);
      }
    }
  }
}

TEST_F(CudaDecode, AddNormEqualsPlainLoops) {
  for (int round = 0; round < 30; ++round) {
    draws_.shuffle_order();
    const int64_t n = round == 0 ? 0 : draws_.pick(1, 6), dim = draws_.pick(1, 900);
    const Element element = draws_.element();
    const bool has_delta = draws_.flip(), has_bias = draws_.flip();
    const Floats before = draws_.normals(n * dim, 2.0F);
    const DeviceArray<float> hidden(before);
    const Stored delta(draws_.normals(n * dim), element), bias(draws_.normals(dim), element), weight(draws_.normals(dim), element);
    const Stored out(n * dim, element);
    AddNorm args;
    args.hidden = hidden.data();
    args.delta = has_delta ? delta.data() : nullptr;
    args.bias = has_bias ? bias.data() : nullptr;
    args.weight = weight.data();
    args.out = out.data();
    args.dim = dim;
    args.eps = 1e-3F;
    add_norm_cuda(args, n, element, nullptr);
    const Floats d = delta.read(), b = bias.read(), w = weight.read(), sums = hidden.read(), found = out.read();
    for (int64_t r = 0; r < n; ++r) {
      std::vector<double> row;
      double squares = 0.0;
      for (int64_t i = 0; i < dim; ++i) {
        const auto at = static_cast<size_t>(r * dim + i);
        row.push_back(before[at] + (has_delta ? d[at] : 0.0) + (has_bias ? b[static_cast<size_t>(i)] : 0.0));
        squares += row.back() * row.back();
        ASSERT_NEAR(sums[at], row.back(), 1e-5);
      }
      for (int64_t i = 0; i < dim; ++i) {
        const double expected =
            row[static_cast<size_t>(i)] / std::sqrt(squares / static_cast<double>(dim) + 1e-3) * w[static_cast<size_t>(i)];
        ASSERT_NEAR(found[static_cast<size_t>(r * dim + i)], expected, rounding(element, expected));
      }
    }
  }
}

TEST_F(CudaDecode, SwigluEqualsPlainLoops) {
  for (int round = 0; round < 30; ++round) {
    draws_.shuffle_order();
    const int64_t n = round == 0 ? 0 : draws_.pick(1, 6), inner = draws_.pick(1, 700);
    const Element element = draws_.element();
    const bool has_bias = draws_.flip();
    const float spread = round % 2 == 0 ? 1.0F : 40.0F;  // the latter saturates the sigmoid
    const Stored gate_up(draws_.normals(n * 2 * inner, spread), element), bias(draws_.normals(2 * inner), element), out(n * inner, element);
    swiglu_cuda(gate_up.data(), has_bias ? bias.data() : nullptr, out.data(), n, inner, element, nullptr);
    const Floats x = gate_up.read(), b = bias.read(), found = out.read();
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t i = 0; i < inner; ++i) {
        const double gate = x[static_cast<size_t>(r * 2 * inner + i)] + (has_bias ? b[static_cast<size_t>(i)] : 0.0);
        const double up = x[static_cast<size_t>((r * 2 + 1) * inner + i)] + (has_bias ? b[static_cast<size_t>(inner + i)] : 0.0);
        const double expected = gate / (1.0 + std::exp(-gate)) * up;
        ASSERT_NEAR(found[static_cast<size_t>(r * inner + i)], expected, rounding(element, expected));
      }
    }
  }
}

struct Heads {
  int64_t q, kv, dim;
  int64_t group() const { return q / kv; }
  int64_t row() const { return (q + 2 * kv) * dim; }
};

// A head of a row as rotate_store should leave it.
std::vector<double> reference_head(const Floats& qkv, int64_t at, const Floats* bias, int64_t bias_at, const Floats* norm, const float* cos,
                                   const float* sin, int64_t pairs, int64_t dim) {
  std::vector<double> head;
  double squares = 0.0;
  for (int64_t i = 0; i < dim; ++i) {
    head.push_back(qkv[static_cast<size_t>(at + i)] + (bias != nullptr ? (*bias)[static_cast<size_t>(bias_at + i)] : 0.0));
    squares += head.back() * head.back();
  }
  for (int64_t i = 0; i < dim && norm != nullptr; ++i) {
    head[static_cast<size_t>(i)] *= (*norm)[static_cast<size_t>(i)] / std::sqrt(squares / static_cast<double>(dim) + 1e-5);
  }
  for (int64_t i = 0; i < pairs; ++i) {
    double &low = head[static_cast<size_t>(i)], &high = head[static_cast<size_t>(i + pairs)];
    const double l = low, h = high;
    low = l * cos[i] - h * sin[i];
    high = h * cos[i] + l * sin[i];
  }
  return head;
}

// One random step: rows of sequences with and without a prefix, idle ones among them.
class RotateCase {
 public:
  RotateCase(Draws& draws, int64_t n, bool rotates)
      : n_(n),
        element_(draws.element()),
        kv_(draws.pick(1, 3)),
        heads_{kv_ * draws.pick(1, 8), kv_, draws.pick(1, 90)},
        pairs_(rotates ? draws.pick(0, heads_.dim / 2) : 0),
        layer_(draws.pick(0, 1)),
        stride_(kv_stride(heads_.dim)),
        has_bias_(draws.flip()),
        has_norm_(draws.flip()),
        before_(Stored(draws.normals(n * heads_.row()), element_).read()),
        bias_(Stored(draws.normals(heads_.row()), element_).read()),
        q_norm_(Stored(draws.normals(heads_.dim), element_).read()),
        k_norm_(Stored(draws.normals(heads_.dim), element_).read()),
        cos_(draws.normals(kPositions * pairs_)),
        sin_(draws.normals(kPositions * pairs_)) {
    for (int64_t s = 0; s < n; ++s) {
      const auto prefix = static_cast<int32_t>(draws.pick(0, 6));
      sequences_.push_back({static_cast<int32_t>(kPages * s), -1, prefix});
      for (int p = 0; p < kPages; ++p) pages_.push_back(static_cast<int32_t>(pages_.size()));
      rows_.push_back({0, draws.pick(0, 4) == 0 ? -1 : static_cast<int32_t>(s),
                       static_cast<int32_t>(draws.pick(prefix, prefix + kPages * kKvPage - 1))});
    }
    draws.shuffle(pages_);
  }

  void run_and_compare() {
    const Stored qkv(before_, element_), bias(bias_, element_), q_norm(q_norm_, element_), k_norm(k_norm_, element_);
    const DeviceArray<float> cos(cos_), sin(sin_);
    const int64_t page_elements = kv_page_elements(2, kv_, heads_.dim);
    const Stored pool(n_ * kPages * page_elements, element_);
    const DeviceArray<int32_t> pages(pages_);
    const DeviceArray<KvSequence> sequences(sequences_);
    const DeviceArray<StepRow> rows(rows_);
    RotateStore args;
    args.qkv = qkv.data();
    args.bias = has_bias_ ? bias.data() : nullptr;
    args.q_norm = has_norm_ ? q_norm.data() : nullptr;
    args.k_norm = has_norm_ ? k_norm.data() : nullptr;
    args.cos = cos.data();
    args.sin = sin.data();
    args.pairs = pairs_;
    args.heads = heads_.q;
    args.eps = 1e-5F;
    args.cache = {pool.data(), pages.data(), sequences.data(), page_elements, layer_, kv_, heads_.dim, stride_};
    rotate_store_cuda(args, rows.data(), n_, element_, nullptr);
    found_ = qkv.read();
    cache_ = pool.read();
    for (int64_t r = 0; r < n_; ++r) {
      for (int64_t h = 0; h < heads_.q + 2 * kv_; ++h) compare_head(r, h);
    }
    const auto written = std::count_if(cache_.begin(), cache_.end(), [](float x) { return !std::isnan(x); });
    ASSERT_EQ(written, expected_writes_);
  }

 private:
  static constexpr int64_t kPages = 2, kPositions = 6 + kPages * kKvPage;

  void compare_head(int64_t r, int64_t h) {
    const StepRow& row = rows_[static_cast<size_t>(r)];
    const int64_t at = r * heads_.row() + h * heads_.dim;
    const bool is_q = h < heads_.q, is_v = h >= heads_.q + kv_;
    if (!is_q || row.sequence < 0) {
      ASSERT_TRUE(std::equal(found_.begin() + at, found_.begin() + at + heads_.dim, before_.begin() + at));
    }
    if (row.sequence < 0) return;
    const Floats* norm = is_q ? &q_norm_ : &k_norm_;
    const auto expected =
        reference_head(before_, at, has_bias_ ? &bias_ : nullptr, h * heads_.dim, has_norm_ && !is_v ? norm : nullptr,
                       cos_.data() + row.position * pairs_, sin_.data() + row.position * pairs_, is_v ? 0 : pairs_, heads_.dim);
    const KvSequence& sequence = sequences_[static_cast<size_t>(row.sequence)];
    const int64_t entry = row.position - sequence.prefix_length, kv_head = (h - heads_.q) % kv_;
    const int64_t page = pages_[static_cast<size_t>(sequence.first_page + entry / kKvPage)];
    const int64_t cached = page * kv_page_elements(2, kv_, heads_.dim) +
                           (((layer_ * 2 + (is_v ? 1 : 0)) * kv_ + kv_head) * kKvPage + entry % kKvPage) * stride_;
    for (int64_t i = 0; i < (is_q ? heads_.dim : stride_); ++i) {
      const double value = i < heads_.dim ? expected[static_cast<size_t>(i)] : 0.0;
      ASSERT_NEAR(is_q ? found_[static_cast<size_t>(at + i)] : cache_[static_cast<size_t>(cached + i)], value, rounding(element_, value));
    }
    expected_writes_ += is_q ? 0 : stride_;
  }

  int64_t n_;
  Element element_;
  int64_t kv_;
  Heads heads_;
  int64_t pairs_, layer_, stride_;
  bool has_bias_, has_norm_;
  Floats before_, bias_, q_norm_, k_norm_, cos_, sin_;
  std::vector<KvSequence> sequences_;
  std::vector<int32_t> pages_;
  std::vector<StepRow> rows_;
  int64_t expected_writes_ = 0;
  Floats found_, cache_;
};

TEST_F(CudaDecode, RotateStoreEqualsPlainLoops) {
  for (int round = 0; round < 30; ++round) {
    draws_.shuffle_order();
    RotateCase(draws_, round == 1 ? 0 : draws_.pick(1, 5), round % 3 != 0).run_and_compare();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace grpo::kernels
