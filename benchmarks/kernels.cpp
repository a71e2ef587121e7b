// Every CPU kernel of kernels/train.h and kernels/decode.h at the shape of SmolLM2-135M, on data beyond the caches: its rate, and the share
// of what memory (for GB/s) or a large matrix product (for GFLOP/s) reaches in this process. One line of JSON a kernel.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "decode.h"
#include "dispatch.h"
#include "grpo/core/random.h"
#include "kv_page.h"
#include "support/measure.h"
#include "support/work.h"
#include "train.h"

namespace {

using grpo::bench::Json;
using Floats = std::vector<float>;

constexpr int64_t kHidden = 576, kIntermediate = 1536, kVocab = 49152, kHeads = 9, kKvHeads = 3, kHeadDim = 64;
constexpr int64_t kQkv = (kHeads + 2 * kKvHeads) * kHeadDim, kPairs = kHeadDim / 2;

/// What is timed, and the bytes or floating-point operations that it cannot do without.
class Report {
 public:
  explicit Report(std::string table, const grpo::bench::Limits& limits) : table_(std::move(table)), limits_(limits) {}
  void bytes(const char* name, int64_t floats, const std::function<void()>& run) const {
    line(name, "GB/s", 4.0 * static_cast<double>(floats), std::max(limits_.read_gb_s, limits_.copy_gb_s), run);
  }
  void flops(const char* name, int64_t count, const std::function<void()>& run) const {
    line(name, "GFLOP/s", static_cast<double>(count), limits_.matmul_gflop_s, run);
  }

 private:
  void line(const char* name, const char* unit, double work, double limit, const std::function<void()>& run) const {
    const double seconds = grpo::bench::best_seconds(run), rate = work / seconds * 1e-9;
    grpo::bench::print(
        {{"table", table_}, {"kernel", name}, {"seconds", seconds}, {"rate", rate}, {"unit", unit}, {"share_of_limit", rate / limit}});
  }
  std::string table_;
  grpo::bench::Limits limits_;
};

/// Values in (-1, 1).
Floats values(int64_t count) {
  static grpo::Random random(1, 0);
  Floats v(static_cast<size_t>(count));
  uint32_t state = static_cast<uint32_t>(random.uniform_int(1, 1 << 30));
  for (auto& x : v) {
    state = state * 1664525U + 1013904223U;
    x = static_cast<float>(state >> 8) * 0x1p-23F - 1.0F;
  }
  return v;
}

void train_rows(const grpo::kernels::TrainKernels& k, const Report& report) {
  constexpr int64_t kRows = 8192;
  const Floats x = values(kRows * kHidden), weight = values(kHidden);
  Floats y(x.size()), rstd(kRows), dx(x.size()), dweight(kHidden);
  report.bytes("rms_norm", 2 * kRows * kHidden, [&] { k.rms_norm(x.data(), weight.data(), y.data(), rstd.data(), kRows, kHidden, 1e-5F); });
  report.bytes("rms_norm_backward", 3 * kRows * kHidden,
               [&] { k.rms_norm_backward(y.data(), x.data(), weight.data(), rstd.data(), dx.data(), dweight.data(), kRows, kHidden); });
  const Floats gate_up = values(kRows * 2 * kIntermediate);
  Floats act(static_cast<size_t>(kRows * kIntermediate)), dgate_up(gate_up.size());
  report.bytes("swiglu", 3 * kRows * kIntermediate, [&] { k.swiglu(gate_up.data(), act.data(), kRows, kIntermediate); });
  report.bytes("swiglu_backward", 5 * kRows * kIntermediate,
               [&] { k.swiglu_backward(act.data(), gate_up.data(), dgate_up.data(), kRows, kIntermediate); });
}

void train_attention(const grpo::kernels::TrainKernels& k, const Report& report) {
  constexpr int64_t kPrompts = 16, kGenerations = 8, kPrompt = 64, kCompletion = 64, kGroup = kPrompt + kGenerations * kCompletion;
  constexpr int64_t kRows = kPrompts * kGroup;
  const grpo::kernels::AttentionShape shape{kHeads, kKvHeads, kHeadDim, 0, 0.125F};
  std::vector<grpo::kernels::AttentionSegment> segments;
  for (int64_t p = 0; p < kPrompts; ++p) {
    const int64_t first = p * kGroup;
    segments.push_back({first, first + kPrompt, 0, 0});
    for (int64_t g = 0; g < kGenerations; ++g) {
      const int64_t begin = first + kPrompt + g * kCompletion;
      segments.push_back({begin, begin + kCompletion, first, first + kPrompt});
    }
  }
  const auto count = static_cast<int64_t>(segments.size());
  const int64_t seen =
      kPrompts * (kPrompt * (kPrompt + 1) / 2 + kGenerations * (kCompletion * kPrompt + kCompletion * (kCompletion + 1) / 2));
  const Floats qkv = values(kRows * kQkv), cos = values(128 * kPairs), sin = values(128 * kPairs);
  const auto positions = grpo::bench::spread_ids(kRows, 128);
  Floats rotated(qkv.size()), out(static_cast<size_t>(kRows * kHeads * kHeadDim)), lse(static_cast<size_t>(kRows * kHeads)),
      dqkv(qkv.size());
  report.bytes("qk_norm_rope", 2 * kRows * kQkv, [&] {
    k.qk_norm_rope(qkv.data(), nullptr, nullptr, cos.data(), sin.data(), positions.data(), rotated.data(), nullptr, kRows, shape, 1e-5F);
  });
  report.bytes("qk_norm_rope_backward", 2 * kRows * kQkv, [&] {
    k.qk_norm_rope_backward(rotated.data(), qkv.data(), nullptr, nullptr, cos.data(), sin.data(), positions.data(), nullptr, dqkv.data(),
                            nullptr, nullptr, kRows, shape);
  });
  report.flops("attention", 4 * kHeads * kHeadDim * seen,
               [&] { k.attention(qkv.data(), out.data(), lse.data(), segments.data(), count, shape); });
  report.flops("attention_backward", 10 * kHeads * kHeadDim * seen,
               [&] { k.attention_backward(out.data(), qkv.data(), out.data(), lse.data(), dqkv.data(), segments.data(), count, shape); });
}

/// Products of a layer's width: y = x W^T, dx = dy W, dW += dy^T x.
void train_products(const grpo::kernels::TrainKernels& k, const Report& report) {
  constexpr int64_t kRows = 2304, kOut = 2 * kIntermediate;
  const Floats x = values(kRows * kHidden), weight = values(kOut * kHidden);
  Floats y = values(kRows * kOut), dx(x.size()), dweight(weight.size());
  for (const auto precision : {grpo::kernels::Precision::kFloat32, grpo::kernels::Precision::kBfloat16}) {
    const std::string type = precision == grpo::kernels::Precision::kFloat32 ? "" : "_bf16";
    const auto product = [&](const char* name, const grpo::kernels::MatrixView& a, const grpo::kernels::MatrixView& b, Floats& c,
                             const grpo::kernels::ProductShape& shape, bool accumulate) {
      report.flops((name + type).c_str(), 2 * kRows * kOut * kHidden,
                   [&] { k.product(a, b, c.data(), shape.columns, shape, accumulate, precision); });
    };
    product("product_forward", {x.data(), kHidden, true}, {weight.data(), kHidden, true}, y, {kRows, kOut, kHidden}, false);
    product("product_input_gradient", {y.data(), kOut, true}, {weight.data(), kHidden, false}, dx, {kRows, kHidden, kOut}, false);
    product("product_weight_gradient", {y.data(), kOut, false}, {x.data(), kHidden, false}, dweight, {kOut, kHidden, kRows}, true);
  }
}

void train_tokens(const grpo::kernels::TrainKernels& k, const Report& report) {
  constexpr int64_t kRows = 512;
  const Floats hidden = values(kRows * kHidden), weight = values(kVocab * kHidden), dlogprobs = values(kRows);
  Floats logprobs(kRows), lse(kRows), entropy(kRows), dhidden(hidden.size()), dweight(weight.size());
  const auto targets = grpo::bench::spread_ids(kRows, kVocab);
  constexpr int64_t kProduct = 2 * kRows * kVocab * kHidden;
  for (const auto precision : {grpo::kernels::Precision::kFloat32, grpo::kernels::Precision::kBfloat16}) {
    const std::string type = precision == grpo::kernels::Precision::kFloat32 ? "" : "_bf16";
    const grpo::kernels::LogprobHead head{hidden.data(), weight.data(), targets.data(), kRows, kHidden, kVocab, 0.05F, precision};
    report.flops(("linear_logprob" + type).c_str(), kProduct, [&] { k.linear_logprob(head, logprobs.data(), lse.data(), entropy.data()); });
    report.flops(("linear_logprob_backward" + type).c_str(), 3 * kProduct, [&] {  // logits again, then both gradients
      k.linear_logprob_backward(head, {lse.data(), nullptr, dlogprobs.data(), nullptr, dhidden.data(), dweight.data()});
    });
  }
}

void train_update(const grpo::kernels::TrainKernels& k, const Report& report) {
  constexpr int64_t kParameters = int64_t{1} << 24;
  Floats weights = values(kParameters), exp_avg(weights.size()), exp_avg_sq(weights.size());
  const Floats gradients = values(kParameters);
  const grpo::kernels::AdamWStep step{1e-6F, 0.9F, 0.999F, 1e-8F, 0.0F, 0.1F, 0.001F, 1.0F};
  report.bytes("adamw", 7 * kParameters,
               [&] { k.adamw(weights.data(), gradients.data(), exp_avg.data(), exp_avg_sq.data(), 0, kParameters, step); });
  report.bytes("sum_of_squares", kParameters, [&] { k.sum_of_squares(gradients.data(), kParameters); });
}

/// Calls `slice(i)` for i < count, split over threads as the engine does: decode kernels are one thread's work each.
void each(int64_t count, const std::function<void(int64_t)>& slice) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) slice(i);
}

/// Rows rounded as one type of linear layer reads them.
struct RoundedRows {
  RoundedRows(const grpo::kernels::LinearKernels& linear, int64_t rows, int64_t depth)
      : stride(depth / linear.per_word), words(static_cast<size_t>(rows * stride)), scales(static_cast<size_t>(rows)) {
    const Floats x = values(rows * depth);
    for (int64_t r = 0; r < rows; ++r)
      linear.round_row(x.data() + r * depth, depth, words.data() + r * stride, &scales[static_cast<size_t>(r)]);
  }
  /// What linear layers read, of rows that hold as many words at most.
  void expand(const grpo::kernels::LinearKernels& linear) {
    std::vector<uint32_t> inputs(words.size() * static_cast<size_t>(linear.input_words));
    for (size_t r = 0; r < scales.size(); ++r) {
      uint32_t* row = inputs.data() + static_cast<int64_t>(r) * stride * linear.input_words;
      std::copy_n(words.data() + static_cast<int64_t>(r) * stride, stride, row);
      linear.expand_row(row, stride);
    }
    words = std::move(inputs);
    stride *= linear.input_words;
  }
  grpo::kernels::InputRows view() const { return {words.data(), stride, scales.data()}; }
  int64_t stride;
  std::vector<uint32_t> words;
  std::vector<grpo::kernels::RowScale> scales;
};

void decode_linears(const grpo::kernels::DecodeKernels& k, const Report& report) {
  constexpr int64_t kRows = 32;
  const int64_t columns = k.panel_columns, panels = 2 * kIntermediate / columns;
  const Floats scales(static_cast<size_t>(columns), 1.0F);
  Floats y(static_cast<size_t>(kRows * panels * columns));
  for (const auto& [type, linear] : {std::pair{"", &k.float32}, {"_bf16", &k.bfloat16}, {"_int8", &k.int8}}) {
    RoundedRows x(*linear, kRows, kHidden);
    x.expand(*linear);
    RoundedRows weight(*linear, panels * columns, kHidden);
    for (auto& word : weight.words) word ^= linear->weight_flip;
    const auto panel = [&](int64_t p) {
      const uint32_t* words = weight.words.data() + p * columns * weight.stride;
      return grpo::kernels::LinearPanel{words, scales.data(), nullptr, weight.stride,
                                        p + 1 < panels ? words + columns * weight.stride : nullptr};
    };
    const int64_t work = 2 * kRows * panels * columns * kHidden;
    report.flops((std::string("linear") + type).c_str(), work, [&] {
      each(panels, [&](int64_t p) { linear->linear(panel(p), x.view(), {y.data() + p * columns, panels * columns}, kRows, false); });
    });
    report.flops((std::string("linear_swiglu") + type).c_str(), work, [&] {
      each(panels, [&](int64_t p) {
        linear->linear_swiglu(panel(p), x.view(), {y.data() + p * columns / 2, panels * columns / 2}, kRows);
      });
    });
  }
}

/// Caches of kv heads, one after the other, each of `entries` entries with values of 0.
struct Cache {
  Cache(const grpo::kernels::DecodeKernels& k, const grpo::kernels::CacheKernels& type, int64_t heads, int64_t entries)
      : key_stride((entries + k.key_block - 1) / k.key_block * k.key_block * kHeadDim),
        value_stride(entries * k.value_columns(kHeadDim)),
        element_bytes(type.element_bytes),
        keys(static_cast<size_t>(heads * key_stride * element_bytes)),
        values(static_cast<size_t>(heads * value_stride * element_bytes)) {}
  uint8_t* key(int64_t head) { return keys.data() + head * key_stride * element_bytes; }
  uint8_t* value(int64_t head) { return values.data() + head * value_stride * element_bytes; }
  int64_t key_stride, value_stride, element_bytes;
  std::vector<uint8_t> keys, values;
};

void decode_rows(const grpo::kernels::DecodeKernels& k, const Report& report) {
  constexpr int64_t kRows = 16384;
  const Floats x = values(kRows * kHidden), weight = values(kHidden), cos = values(kPairs), sin = values(kPairs);
  Floats y(x.size()), qkv = values(kRows * kQkv);
  report.bytes("rms_norm_row", 2 * kRows * kHidden, [&] {
    each(kRows, [&](int64_t r) { k.rms_norm_row(x.data() + r * kHidden, weight.data(), 1e-5F, y.data() + r * kHidden, kHidden); });
  });
  Cache cache(k, k.float32_cache, kKvHeads, kRows);
  report.bytes("rotate_and_store", 2 * kRows * kQkv, [&] {
    each(kRows, [&](int64_t r) {
      k.float32_cache.rotate_and_store({qkv.data() + r * kQkv, nullptr, nullptr, cos.data(), sin.data(), kHeads, kKvHeads, kHeadDim, kPairs,
                                        1e-5F, 1.0F, cache.key(0), cache.value(0), cache.key_stride, cache.value_stride, r});
    });
  });
}

void decode_attention(const grpo::kernels::DecodeKernels& k, const Report& report) {
  constexpr int64_t kTasks = 384, kEntries = 512, kPage = grpo::kernels::kKvPage, kGroup = kHeads / kKvHeads;
  const Floats q = values(kTasks * kGroup * kHeadDim);
  const int64_t scratch_floats = k.attention_scratch(kGroup, kHeadDim, kEntries);
  Floats out(q.size()), scratch(static_cast<size_t>(kTasks * scratch_floats));
  for (const auto& [name, type] : {std::pair{"attention", &k.float32_cache}, {"attention_bf16_cache", &k.bfloat16_cache}}) {
    Cache cache(k, *type, kTasks, kEntries);
    std::vector<grpo::kernels::CacheRun> runs;  // in pages, as the engine's
    for (int64_t t = 0; t < kTasks; ++t) {
      for (int64_t first = 0; first < kEntries; first += kPage) {
        const int64_t keys = first * kHeadDim * type->element_bytes, values = first * k.value_columns(kHeadDim) * type->element_bytes;
        runs.push_back({cache.key(t) + keys, cache.value(t) + values, 0, kPage});
      }
    }
    report.bytes(name, kTasks * kEntries * 2 * kHeadDim * type->element_bytes / 4, [&] {
      each(kTasks, [&](int64_t t) {
        type->attention({q.data() + t * kGroup * kHeadDim, out.data() + t * kGroup * kHeadDim, kGroup, kHeadDim,
                         runs.data() + t * kEntries / kPage, kEntries / kPage, scratch.data() + t * scratch_floats});
      });
    });
  }
}

void decode_sampling(const grpo::kernels::DecodeKernels& k, const Report& report) {
  constexpr int64_t kRows = 256, kBlocks = kVocab / grpo::kernels::kSoftmaxBlock;
  const Floats logits = values(kRows * kVocab);
  Floats block_sums(static_cast<size_t>(kRows * kBlocks));
  std::vector<grpo::kernels::SoftmaxSums> sums(kRows);
  std::vector<int64_t> chosen(kRows);
  report.bytes("softmax_sums", kRows * kVocab, [&] {
    each(kRows, [&](int64_t r) {
      sums[static_cast<size_t>(r)] = k.softmax_sums(logits.data() + r * kVocab, kVocab, 1.0F, block_sums.data() + r * kBlocks);
    });
  });
  report.bytes("inverse_cdf", kRows * (kBlocks + grpo::kernels::kSoftmaxBlock) / 2, [&] {  // half of the sums and of one block, on average
    each(kRows, [&](int64_t r) {
      chosen[static_cast<size_t>(r)] = k.inverse_cdf(logits.data() + r * kVocab, kVocab, 1.0F, sums[static_cast<size_t>(r)],
                                                     block_sums.data() + r * kBlocks, (static_cast<float>(r) + 0.5F) / kRows);
    });
  });
}

void run(int threads) {
  const int used = grpo::bench::set_threads(threads);
  const auto limits = grpo::bench::measure_limits();
  const auto& kernels = grpo::kernels::cpu_kernels();
  grpo::bench::print({{"work", "kernels"}, {"isa", kernels.isa}, {"threads", used}, {"limits", to_json(limits)}});
  const Report train("train", limits), decode("decode", limits);
  train_rows(*kernels.train, train);
  train_attention(*kernels.train, train);
  train_products(*kernels.train, train);
  train_tokens(*kernels.train, train);
  train_update(*kernels.train, train);
  decode_linears(*kernels.decode, decode);
  decode_rows(*kernels.decode, decode);
  decode_attention(*kernels.decode, decode);
  decode_sampling(*kernels.decode, decode);
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 0;
  CLI::App app("Times the CPU kernels");
  app.add_option("--threads", threads, "OpenMP threads; 0 = OpenMP's default");
  CLI11_PARSE(app, argc, argv);
  return grpo::bench::run_program([&] { run(threads); });
}
