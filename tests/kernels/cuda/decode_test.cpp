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

TEST_F(CudaDecode, RotateStoreEqualsPlainLoops) {
  for (int round = 0; round < 30; ++round) {
    draws_.shuffle_order();
    const Element element = draws_.element();
    const int64_t kv = draws_.pick(1, 3);
    const Heads heads{kv * draws_.pick(1, 8), kv, draws_.pick(1, 90)};
    // Partial rotation, and none.
    const int64_t pairs = round % 3 == 0 ? 0 : draws_.pick(0, heads.dim / 2), n = round == 1 ? 0 : draws_.pick(1, 5), positions = 12;
    const int64_t layers = 2, layer = draws_.pick(0, 1), capacity = draws_.pick(5, 9), stride = kv_stride(heads.dim);
    const bool has_bias = draws_.flip(), has_norm = draws_.flip();
    const int64_t elements = kv_elements(layers, kv, capacity, heads.dim);
    std::vector<KvSequence> sequences(static_cast<size_t>(n + 1));
    std::vector<StepRow> rows(static_cast<size_t>(n));
    for (int64_t s = 0; s <= n; ++s) {
      const auto prefix = static_cast<int32_t>(draws_.pick(0, 6));
      sequences[static_cast<size_t>(s)] = {s * elements, static_cast<int32_t>(capacity), prefix > 0 ? static_cast<int32_t>(n) : -1, prefix};
      if (s == n) break;
      rows[static_cast<size_t>(s)] = {0, static_cast<int32_t>(s), static_cast<int32_t>(prefix + draws_.pick(0, 4))};
      if (draws_.pick(0, 4) == 0) rows[static_cast<size_t>(s)].sequence = -1;
    }
    const Floats before = Stored(draws_.normals(n * heads.row()), element).read();
    const Stored qkv(before, element), bias(draws_.normals(heads.row()), element);
    const Stored q_norm(draws_.normals(heads.dim), element), k_norm(draws_.normals(heads.dim), element);
    const Floats cos = draws_.normals(positions * pairs), sin = draws_.normals(positions * pairs);
    const DeviceArray<float> cos_table(cos), sin_table(sin);
    const Stored pool((n + 1) * elements, element);
    const DeviceArray<KvSequence> table(sequences);
    const DeviceArray<StepRow> on_device(rows);
    RotateStore args;
    args.qkv = qkv.data();
    args.bias = has_bias ? bias.data() : nullptr;
    args.q_norm = has_norm ? q_norm.data() : nullptr;
    args.k_norm = has_norm ? k_norm.data() : nullptr;
    args.cos = cos_table.data();
    args.sin = sin_table.data();
    args.pairs = pairs;
    args.heads = heads.q;
    args.eps = 1e-5F;
    args.cache = {pool.data(), table.data(), layer, kv, heads.dim, stride};
    rotate_store_cuda(args, on_device.data(), n, element, nullptr);

    const Floats b = bias.read(), qn = q_norm.read(), kn = k_norm.read(), found = qkv.read(), cache = pool.read();
    size_t written = 0;
    for (int64_t r = 0; r < n; ++r) {
      const StepRow& row = rows[static_cast<size_t>(r)];
      for (int64_t h = 0; h < heads.q + 2 * kv; ++h) {
        const int64_t at = r * heads.row() + h * heads.dim;
        const bool is_q = h < heads.q, is_v = h >= heads.q + kv;
        if (!is_q || row.sequence < 0) {
          for (int64_t i = 0; i < heads.dim; ++i) ASSERT_EQ(found[static_cast<size_t>(at + i)], before[static_cast<size_t>(at + i)]);
        }
        if (row.sequence < 0) continue;
        const auto expected =
            reference_head(before, at, has_bias ? &b : nullptr, h * heads.dim,
                           !has_norm || is_v ? nullptr
                           : is_q            ? &qn
                                             : &kn,
                           cos.data() + row.position * pairs, sin.data() + row.position * pairs, is_v ? 0 : pairs, heads.dim);
        const KvSequence& sequence = sequences[static_cast<size_t>(row.sequence)];
        const int64_t entry = row.position - sequence.prefix_length, kv_head = (h - heads.q) % kv;
        const int64_t cached = sequence.offset + (((layer * 2 + (is_v ? 1 : 0)) * kv + kv_head) * capacity + entry) * stride;
        for (int64_t i = 0; i < (is_q ? heads.dim : stride); ++i) {
          const double value = i < heads.dim ? expected[static_cast<size_t>(i)] : 0.0;
          ASSERT_NEAR(is_q ? found[static_cast<size_t>(at + i)] : cache[static_cast<size_t>(cached + i)], value, rounding(element, value));
        }
        written += is_q ? 0 : static_cast<size_t>(stride);
      }
    }
    ASSERT_EQ(static_cast<size_t>(std::count_if(cache.begin(), cache.end(), [](float x) { return !std::isnan(x); })), written);
  }
}

// One random batch: prefixes, samples after them, and prompts' rows.
class AttentionCase {
 public:
  AttentionCase(Draws& draws, Element element, int64_t longest) : draws_(draws), element_(element) {
    const int64_t kv = draws.pick(1, 2);
    heads_ = {kv * draws.pick(1, kMaxGroup), kv, draws.pick(1, 72)};
    stride_ = kv_stride(heads_.dim);
    capacity_ = longest;
    window_ = draws.flip() ? 0 : draws.pick(1, 2 * longest);
    add_prefixes();
    add_samples();
    pool_ = Floats(sequences_.size() * static_cast<size_t>(sequence_elements()), std::nanf(""));
    fill_caches();
  }

  void run_and_compare() {
    const Floats plain = draws_.normals(static_cast<int64_t>(rows_.size()) * heads_.row());
    const Stored qkv(plain, element_), pool(pool_, element_), out(static_cast<int64_t>(rows_.size()) * heads_.q * heads_.dim, element_);
    const DeviceArray<KvSequence> sequences(sequences_);
    const DeviceArray<StepRow> rows(rows_);
    const DeviceArray<AttentionTask> singles(singles_), shared(shared_);
    Attention args;
    args.qkv = qkv.data();
    args.out = out.data();
    args.singles = singles.data();
    args.shared = shared.data();
    args.single_count = static_cast<int64_t>(singles_.size());
    args.shared_count = static_cast<int64_t>(shared_.size());
    args.heads = heads_.q;
    args.window = window_;
    args.scale = 0.7F / std::sqrt(static_cast<float>(heads_.dim));
    args.piece = 64 * draws_.pick(1, 3);
    args.prefix_pieces = args.own_pieces = (capacity_ + args.piece - 1) / args.piece;
    const DeviceArray<float> partial(static_cast<int64_t>(rows_.size()) * heads_.q * 2 * args.own_pieces * (stride_ + 2));
    args.partial = partial.data();
    args.cache = {pool.data(), sequences.data(), 1, heads_.kv, heads_.dim, stride_};
    attention_cuda(args, rows.data(), static_cast<int64_t>(rows_.size()), element_, nullptr);
    const Floats q = qkv.read(), cache = pool.read(), found = out.read();
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (rows_[r].sequence < 0) continue;
      for (int64_t h = 0; h < heads_.q; ++h) {
        const auto expected = reference(q, cache, r, h, args.scale);
        for (int64_t i = 0; i < heads_.dim; ++i) {
          const size_t at =
              (r * static_cast<size_t>(heads_.q) + static_cast<size_t>(h)) * static_cast<size_t>(heads_.dim) + static_cast<size_t>(i);
          ASSERT_NEAR(found[at], expected[static_cast<size_t>(i)], element_ == Element::kF32 ? 1e-5 : 2e-2)
              << "row " << r << " head " << h << " of " << heads_.q << '/' << heads_.kv << " window " << window_ << " piece " << args.piece;
        }
      }
    }
  }

 private:
  int64_t sequence_elements() const { return kv_elements(2, heads_.kv, capacity_, heads_.dim); }
  void add_row(int32_t sequence, int64_t position) { rows_.push_back({0, sequence, static_cast<int32_t>(position)}); }
  int32_t add_sequence(int32_t prefix, int64_t prefix_length) {
    const auto number = static_cast<int32_t>(sequences_.size());
    sequences_.push_back({number * sequence_elements(), static_cast<int32_t>(capacity_), prefix, static_cast<int32_t>(prefix_length)});
    used_.push_back(0);
    return number;
  }
  void add_prefixes() {
    for (int p = 0; p < 2; ++p) used_[static_cast<size_t>(add_sequence(-1, 0))] = draws_.pick(1, capacity_);
  }
  // Samples of two prefixes, of none, and idle ones; then a prompt's last rows.
  void add_samples() {
    AttentionTask prefix_tasks[2];
    const int64_t samples = draws_.pick(1, 14);
    for (int64_t s = 0; s < samples; ++s) {
      const int64_t kind = draws_.pick(0, 3);
      const auto prefix = static_cast<int32_t>(kind < 2 ? kind : -1);
      const int64_t before = prefix < 0 ? 0 : used_[static_cast<size_t>(prefix)];
      const int32_t sequence = add_sequence(prefix, before);
      const int64_t own = draws_.pick(1, capacity_);
      used_[static_cast<size_t>(sequence)] = own;
      const auto row = static_cast<int32_t>(rows_.size());
      add_row(draws_.pick(0, 5) == 0 ? -1 : sequence, before + own - 1);
      AttentionTask& single = singles_.emplace_back();
      single.rows[0] = row;
      single.count = 1;
      if (prefix < 0) continue;
      AttentionTask& task = prefix_tasks[prefix];
      task.of_prefix = 1;
      if (task.count == kTaskRows) shared_.push_back(std::exchange(task, {{}, 0, 1}));
      task.rows[task.count++] = row;
    }
    singles_.emplace_back();  // a bucket's padding
    for (const AttentionTask& task : prefix_tasks) shared_.push_back(task);
    const int64_t prompt_rows = draws_.pick(0, std::min<int64_t>(kTaskRows, used_[0]));
    AttentionTask& prompt = shared_.emplace_back();
    for (int64_t i = 0; i < prompt_rows; ++i) {
      prompt.rows[prompt.count++] = static_cast<int32_t>(rows_.size());
      add_row(0, used_[0] - prompt_rows + i);
    }
  }
  int64_t entry_at(size_t sequence, int part, int64_t head, int64_t entry) const {
    return sequences_[sequence].offset + (((2 + part) * heads_.kv + head) * capacity_ + entry) * stride_;
  }
  // Entries in use; the rest stays NaN.
  void fill_caches() {
    for (size_t s = 0; s < sequences_.size(); ++s) {
      for (int part = 0; part < 2; ++part) {
        for (int64_t head = 0; head < heads_.kv; ++head) {
          for (int64_t entry = 0; entry < used_[s]; ++entry) {
            const Floats values = draws_.normals(heads_.dim);
            float* to = pool_.data() + entry_at(s, part, head, entry);
            std::fill(to, to + stride_, 0.0F);
            std::copy(values.begin(), values.end(), to);
          }
        }
      }
    }
  }
  std::vector<double> reference(const Floats& q, const Floats& cache, size_t r, int64_t head, double scale) const {
    const StepRow& row = rows_[r];
    const KvSequence& sequence = sequences_[static_cast<size_t>(row.sequence)];
    std::vector<double> out(static_cast<size_t>(heads_.dim), 0.0);
    double total = 0.0;
    for (int64_t p = window_ > 0 ? std::max<int64_t>(0, row.position + 1 - window_) : 0; p <= row.position; ++p) {
      const bool in_prefix = p < sequence.prefix_length;
      const auto from = static_cast<size_t>(in_prefix ? sequence.prefix : row.sequence);
      const int64_t entry = in_prefix ? p : p - sequence.prefix_length;
      const float *key = cache.data() + entry_at(from, 0, head / heads_.group(), entry),
                  *value = cache.data() + entry_at(from, 1, head / heads_.group(), entry);
      double score = 0.0;
      for (int64_t i = 0; i < heads_.dim; ++i) {
        score += static_cast<double>(q[r * static_cast<size_t>(heads_.row()) + static_cast<size_t>(head * heads_.dim + i)]) * key[i];
      }
      const double weight = std::exp(score * scale);
      total += weight;
      for (int64_t i = 0; i < heads_.dim; ++i) out[static_cast<size_t>(i)] += weight * value[i];
    }
    for (double& value : out) value /= total;
    return out;
  }

  Draws& draws_;
  Element element_;
  Heads heads_{};
  int64_t stride_ = 0, capacity_ = 0, window_ = 0;
  std::vector<KvSequence> sequences_;
  std::vector<int64_t> used_;  // entries
  std::vector<StepRow> rows_;
  std::vector<AttentionTask> singles_, shared_;
  Floats pool_;
};

TEST_F(CudaDecode, AttentionEqualsPlainLoops) {
  for (int round = 0; round < 16; ++round) {
    draws_.shuffle_order();
    SCOPED_TRACE(round);
    const int64_t longest = round % 4 == 0 ? draws_.pick(300, 420) : draws_.pick(1, 130);
    AttentionCase(draws_, round % 2 == 0 ? Element::kBF16 : Element::kF32, longest).run_and_compare();
    if (HasFatalFailure()) return;
  }
}

// A step without rows.
TEST_F(CudaDecode, NothingToAttendIsNoLaunch) { attention_cuda({}, nullptr, 0, Element::kF32, nullptr); }

}  // namespace
}  // namespace grpo::kernels
