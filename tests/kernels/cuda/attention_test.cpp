// Decode attention on CUDA, executed on the host. Oracle: plain loops in double over the stored keys and values. Shapes are drawn afresh in
// every run; the seed is printed on failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "decode_cuda.h"
#include "device_array.h"

namespace grpo::kernels {
namespace {

using testing::DeviceArray;
using testing::Draws;
using testing::Stored;
using Floats = std::vector<float>;

struct Heads {
  int64_t q, kv, dim;
  int64_t group() const { return q / kv; }
  int64_t row() const { return (q + 2 * kv) * dim; }
};

// One random batch: prefixes, samples after them, and prompts' rows.
class AttentionCase {
 public:
  AttentionCase(Draws& draws, Element element, int64_t longest) : draws_(draws), element_(element) {
    const int64_t kv = draws.pick(1, 2);
    heads_ = {kv * draws.pick(1, kMaxGroup), kv, draws.pick(1, 72)};
    stride_ = kv_stride(heads_.dim);
    capacity_ = longest;
    window_ = draws.pick(0, 2) == 0 ? 0 : draws.pick(1, draws.flip() ? 2 * longest : 1 + longest / 4);
    add_prefixes();
    add_samples();
    place_pages();
    fill_caches();
  }

  void run_and_compare() {
    const Floats plain = draws_.normals(static_cast<int64_t>(rows_.size()) * heads_.row());
    const Stored qkv(plain, element_), pool(pool_, element_), out(static_cast<int64_t>(rows_.size()) * heads_.q * heads_.dim, element_);
    const DeviceArray<KvSequence> sequences(sequences_);
    const DeviceArray<int32_t> pages(pages_);
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
    args.cache = {pool.data(), pages.data(), sequences.data(), page_elements(), 1, heads_.kv, heads_.dim, stride_};
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
  int64_t page_elements() const { return kv_page_elements(2, heads_.kv, heads_.dim); }
  void add_row(int32_t sequence, int64_t position) { rows_.push_back({0, sequence, static_cast<int32_t>(position)}); }
  int32_t add_sequence(int32_t prefix, int64_t prefix_length) {
    const auto number = static_cast<int32_t>(sequences_.size());
    sequences_.push_back({0, prefix, static_cast<int32_t>(prefix_length)});
    used_.push_back(0);
    return number;
  }
  void add_prefixes() {
    for (int p = 0; p < 2; ++p) used_[static_cast<size_t>(add_sequence(-1, 0))] = pick_entries(capacity_);
  }
  // Up to `most`; now and then whole pages, where pieces and tiles end too.
  int64_t pick_entries(int64_t most) {
    const int64_t entries = draws_.pick(1, most);
    return entries >= kKvPage && draws_.flip() ? entries / kKvPage * kKvPage : entries;
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
      // Windows end within the prefix, or not.
      const int64_t own = pick_entries(window_ > 0 && draws_.pick(0, 3) > 0 ? std::min(capacity_, window_) : capacity_);
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
    for (std::vector<AttentionTask>* tasks : {&singles_, &shared_}) {
      for (AttentionTask& task : *tasks) std::fill(task.rows + task.count, std::end(task.rows), 1 << 28);  // not to be read
    }
  }
  // Each sequence has the pages that its entries need, anywhere in the pool.
  void place_pages() {
    for (size_t s = 0; s < sequences_.size(); ++s) {
      sequences_[s].first_page = static_cast<int32_t>(pages_.size());
      for (int64_t entry = 0; entry < used_[s]; entry += kKvPage) pages_.push_back(static_cast<int32_t>(pages_.size()));
    }
    draws_.shuffle(pages_);
    pool_ = Floats(pages_.size() * static_cast<size_t>(page_elements()), std::nanf(""));
  }
  int64_t entry_at(size_t sequence, int part, int64_t head, int64_t entry) const {
    const int64_t page = pages_[static_cast<size_t>(sequences_[sequence].first_page + entry / kKvPage)];
    return page * page_elements() + (((2 + part) * heads_.kv + head) * kKvPage + entry % kKvPage) * stride_;
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
  std::vector<int32_t> pages_;
  Floats pool_;
};

TEST(CudaDecodeAttention, EqualsPlainLoops) {
  Draws draws;
  SCOPED_TRACE("seed " + std::to_string(draws.seed()));
  for (int round = 0; round < 24; ++round) {
    draws.shuffle_order();
    SCOPED_TRACE(round);
    const int64_t longest = round % 4 < 2 ? draws.pick(300, 420) : draws.pick(1, 130);
    AttentionCase(draws, round % 8 < 4 ? Element::kBF16 : Element::kF32, longest).run_and_compare();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// A step without rows.
TEST(CudaDecodeAttention, NothingToAttendIsNoLaunch) { attention_cuda({}, nullptr, 0, Element::kF32, nullptr); }

}  // namespace
}  // namespace grpo::kernels
