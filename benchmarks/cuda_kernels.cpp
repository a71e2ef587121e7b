// Every CUDA kernel of kernels/train_cuda.h, decode_cuda.h and decode_sample_cuda.h, and the product beside them, at a model's shape: its
// rate, and the share of what a copy (for GB/s) or a large product (for TFLOP/s) reaches in this process. One line of JSON a kernel.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "decode_sample_cuda.h"
#include "device.h"
#include "grpo/core/random.h"
#include "grpo/data/packed.h"
#include "grpo/model/config.h"
#include "support/measure.h"
#include "support/work.h"
#include "train_cuda.h"

namespace {

using namespace grpo;
using namespace grpo::kernels;
using device::Buffer;
using device::Element;

struct Options {
  std::string shape = "qwen2.5-0.5b", compute = "bfloat16";
  int64_t rows = 256, context = 1024;            // of decoding: sequences, and positions of each
  int64_t train_rows = 32768, logit_rows = 512;  // of training: tokens, and those whose logits are there at a time
  int64_t prompt = 512, completion = 512;        // of attention in training: groups of 8
  int64_t parameters = int64_t{1} << 26;         // of the optimiser
  int64_t copy_mib = 1024, product = 8192;       // of the limits: bytes copied, side of a square product
};

// Each time is of a graph of launches, as the engine replays them.
constexpr int kLaunches = 10, kReplays = 4;  // the first is not timed

class Bench {
 public:
  explicit Bench(const Options& options)
      : o(options),
        model(bench::model_shape(options.shape)),
        element(bench::type_named<Element>(options.compute, {{"bfloat16", Element::kBF16}, {"float32", Element::kF32}})),
        size(device::size_of(element)) {
    const Buffer from = numbers(o.copy_mib << 20), to = memory(o.copy_mib << 20);
    copy_gb_s_ = 2e-9 * static_cast<double>(o.copy_mib << 20) /
                 seconds_of([&] { device::copy(to.data(), from.data(), o.copy_mib << 20, stream.get()); });
    const Buffer a = numbers(o.product * o.product * size), c = memory(o.product * o.product * size);
    product_tflop_s_ = 2e-12 * std::pow(static_cast<double>(o.product), 3) / seconds_of([&] {
                         device::matmul({a.data(), element, o.product}, {a.data(), element, o.product, true},
                                        {c.data(), element, o.product}, o.product, o.product, o.product, stream.get());
                       });
    const auto properties = device::properties();
    bench::print({{"work", "cuda_kernels"},
                  {"device", properties.name},
                  {"multiprocessors", properties.multiprocessors},
                  {"shape", o.shape},
                  {"compute", o.compute},
                  {"copy_gb_s", copy_gb_s_},
                  {"product_tflop_s", product_tflop_s_}});
  }

  /// Uninitialised.
  static Buffer memory(int64_t bytes) {
    Buffer made;
    made.resize(bytes, "a benchmark");
    return made;
  }
  /// Numbers in (-1, 1) of the benchmark's type, or in fp32.
  Buffer numbers(int64_t bytes, bool in_fp32 = false) const {
    constexpr int64_t kBlock = int64_t{1} << 20;
    Random random(1, 0);
    std::vector<uint8_t> block;
    const bool halves = element == Element::kBF16 && !in_fp32;
    while (static_cast<int64_t>(block.size()) < std::min(bytes, kBlock)) {
      const auto number = static_cast<float>(random.uniform() * 2.0 - 1.0);
      const auto* raw = reinterpret_cast<const uint8_t*>(&number);
      block.insert(block.end(), raw + (halves ? 2 : 0), raw + 4);  // the upper half of a float is a bf16
    }
    Buffer made = memory(bytes);
    for (int64_t at = 0; at < bytes; at += kBlock)
      device::upload(made.data<char>() + at, block.data(), std::min(kBlock, bytes - at), stream.get());
    stream.synchronize();
    return made;
  }
  template <class T>
  Buffer array(const std::vector<T>& values) const {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
    Buffer made = memory(bytes);
    device::upload(made.data(), values.data(), bytes, stream.get());
    stream.synchronize();
    return made;
  }

  void bytes(const char* table, const std::string& kernel, int64_t count, const std::function<void()>& run) const {
    line(table, kernel, "GB/s", 1e-9 * static_cast<double>(count), copy_gb_s_, run);
  }
  void flops(const char* table, const std::string& kernel, int64_t count, const std::function<void()>& run) const {
    line(table, kernel, "TFLOP/s", 1e-12 * static_cast<double>(count), product_tflop_s_, run);
  }

  const Options& o;
  const ModelConfig model;
  const Element element;
  const int64_t size;  // bytes of an element
  mutable device::Stream stream;

 private:
  double seconds_of(const std::function<void()>& run) const {
    run();  // kernels are loaded, workspaces allocated
    stream.synchronize();
    const auto graph = device::Graph::capture(stream, [&] {
      for (int i = 0; i < kLaunches; ++i) run();
    });
    const auto replay = [&] {
      graph.replay(stream);
      stream.synchronize();
    };
    return bench::best_seconds(replay, kReplays - 1, 0.0) / kLaunches;
  }
  void line(const char* table, const std::string& kernel, const char* unit, double work, double limit,
            const std::function<void()>& run) const {
    const double seconds = seconds_of(run), rate = work / seconds;
    bench::print(
        {{"table", table}, {"kernel", kernel}, {"seconds", seconds}, {"rate", rate}, {"unit", unit}, {"share_of_limit", rate / limit}});
  }

  double copy_gb_s_ = 0.0, product_tflop_s_ = 0.0;
};

/// Sequences of the engine, `context` positions each in pages of their own, in groups of 8 behind a prompt of as many in `with_prefix`.
struct Sequences {
  Sequences(const Bench& b, bool with_prefix) {
    const int64_t n = b.o.rows, groups = with_prefix ? (n + kTaskRows - 1) / kTaskRows : 0, own = (b.o.context + kKvPage - 1) / kKvPage;
    std::vector<KvSequence> all;
    std::vector<StepRow> step;
    std::vector<AttentionTask> single, common(static_cast<size_t>(groups));
    for (int64_t s = 0; s < n + groups; ++s) all.push_back({.first_page = static_cast<int32_t>(s * own)});
    for (int64_t r = 0; r < n; ++r) {
      const auto row = static_cast<int32_t>(r);
      const int64_t before = with_prefix ? b.o.context : 0;
      step.push_back({.token = row, .sequence = row, .position = static_cast<int32_t>(before + b.o.context - 1)});
      single.push_back({.rows = {row}, .count = 1});
      if (!with_prefix) continue;
      all[static_cast<size_t>(r)].prefix = static_cast<int32_t>(n + r / kTaskRows);
      all[static_cast<size_t>(r)].prefix_length = static_cast<int32_t>(before);
      AttentionTask& task = common[static_cast<size_t>(r / kTaskRows)];
      task.of_prefix = 1;
      task.rows[task.count++] = row;
    }
    std::vector<int32_t> page_numbers(static_cast<size_t>((n + groups) * own));
    std::iota(page_numbers.begin(), page_numbers.end(), 0);
    const int64_t page_elements = kv_page_elements(1, b.model.num_key_value_heads, b.model.head_dim);
    pool = b.numbers((n + groups) * own * page_elements * b.size);
    pages = b.array(page_numbers);
    sequences = b.array(all);
    rows = b.array(step);
    singles = b.array(single);
    shared = b.array(common);
    shared_count = groups;
    cache = {pool.data(),      pages.data<int32_t>(),      sequences.data<KvSequence>(), page_elements, 0, b.model.num_key_value_heads,
             b.model.head_dim, kv_stride(b.model.head_dim)};
  }
  Buffer pool, pages, sequences, rows, singles, shared;
  int64_t shared_count = 0;
  KvCache cache;
};

void decode_rows(const Bench& b) {
  const int64_t n = b.o.rows, hidden = b.model.hidden_size, inner = b.model.intermediate_size, heads = b.model.qkv_size();
  const Sequences there(b, false);
  const auto* rows = there.rows.data<StepRow>();
  const Buffer table = b.numbers(b.model.vocab_size * hidden * b.size), delta = b.numbers(n * hidden * b.size),
               weight = b.numbers(hidden * b.size);
  const Buffer residual = b.numbers(n * hidden * 4, true), out = Bench::memory(n * hidden * b.size);
  b.bytes("decode", "embed", n * hidden * (b.size + 4),
          [&] { embed_cuda(rows, n, table.data(), b.element, hidden, residual.data<float>(), b.stream.get()); });
  const AddNorm norm{residual.data<float>(), delta.data(), nullptr, weight.data(), out.data(), hidden, 1e-6F};
  b.bytes("decode", "add_norm", n * hidden * (8 + 2 * b.size), [&] { add_norm_cuda(norm, n, b.element, b.stream.get()); });
  const Buffer gate_up = b.numbers(n * 2 * inner * b.size), act = Bench::memory(n * inner * b.size);
  b.bytes("decode", "swiglu", n * 3 * inner * b.size,
          [&] { swiglu_cuda(gate_up.data(), nullptr, act.data(), n, inner, b.element, b.stream.get()); });
  const int64_t pairs = b.model.head_dim / 2;
  const Buffer qkv = b.numbers(n * heads * b.size), cos = b.numbers(b.o.context * pairs * 4, true),
               sin = b.numbers(b.o.context * pairs * 4, true);
  const RotateStore rotate{.qkv = qkv.data(),
                           .cos = cos.data<float>(),
                           .sin = sin.data<float>(),
                           .pairs = pairs,
                           .heads = b.model.num_attention_heads,
                           .eps = 1e-6F,
                           .cache = there.cache};
  b.bytes("decode", "rotate_store", 2 * n * heads * b.size, [&] { rotate_store_cuda(rotate, rows, n, b.element, b.stream.get()); });
}

/// Over keys and values of their own, and behind a prompt that 8 share, which is read once for all of them.
void decode_attention(const Bench& b) {
  const int64_t n = b.o.rows, heads = b.model.num_attention_heads, entry = 2 * b.model.num_key_value_heads * b.model.head_dim * b.size;
  for (const bool with_prefix : {false, true}) {
    const Sequences there(b, with_prefix);
    Attention args;
    const Buffer qkv = b.numbers(n * b.model.qkv_size() * b.size), out = Bench::memory(n * b.model.q_size() * b.size);
    args.qkv = qkv.data();
    args.out = out.data();
    args.singles = there.singles.data<AttentionTask>();
    args.shared = there.shared.data<AttentionTask>();
    args.single_count = n;
    args.shared_count = there.shared_count;
    args.heads = heads;
    args.scale = 1.0F / std::sqrt(static_cast<float>(b.model.head_dim));
    args.piece = attention_piece(b.o.context);
    args.own_pieces = (b.o.context + args.piece - 1) / args.piece;
    args.prefix_pieces = with_prefix ? args.own_pieces : 0;
    const Buffer partial = Bench::memory(n * heads * (args.own_pieces + args.prefix_pieces) * (there.cache.stride + 2) * 4);
    args.partial = partial.data<float>();
    args.cache = there.cache;
    b.bytes("decode", with_prefix ? "attention_shared_prompt" : "attention", (n + there.shared_count) * b.o.context * entry,
            [&] { attention_cuda(args, there.rows.data<StepRow>(), n, b.element, b.stream.get()); });
  }
}

void decode_sampling(const Bench& b) {
  const int64_t n = b.o.rows, vocab = b.model.vocab_size, chunks = (vocab + kLogitChunk - 1) / kLogitChunk;
  const Sequences there(b, false);
  auto* rows = there.rows.data<StepRow>();
  const Buffer logits = b.numbers(n * vocab * 4, true), reshaped = Bench::memory(n * vocab * 4);
  const Buffer sums = Bench::memory(n * chunks * static_cast<int64_t>(sizeof(ChunkSums)));
  const Logits plain{logits.data<float>(), sums.data<ChunkSums>(), vocab, vocab, 1.0F};
  b.bytes("decode", "logit_sums", n * vocab * 4, [&] { logit_sums_cuda(plain, rows, n, b.stream.get()); });
  for (const bool nucleus : {false, true}) {
    const Reshape reshape{.logits = logits.data<float>(),
                          .processed = reshaped.data<float>(),
                          .stride = vocab,
                          .limit = vocab,
                          .top_p = nucleus ? 0.95 : 1.0,
                          .top_k = nucleus ? 0 : 50};
    b.bytes("decode", nucleus ? "reshape_top_p" : "reshape_top_k", 2 * n * vocab * 4,
            [&] { reshape_logits_cuda(reshape, rows, n, b.stream.get()); });
  }
  const Buffer drawn = Bench::memory((1 + kLaunches * kReplays) * n * static_cast<int64_t>(sizeof(Drawn)));
  const Buffer states = b.array(std::vector<DrawState>(static_cast<size_t>(n), {.stream = {1, 2, 3, 4}, .remaining = 1 << 30}));
  const Draw draw{.plain = plain, .processed = plain, .states = states.data<DrawState>(), .drawn = drawn.data<Drawn>(), .drawn_stride = n};
  b.bytes("decode", "draw", n * (chunks * static_cast<int64_t>(sizeof(ChunkSums)) + std::min(vocab, kLogitChunk) * 4),
          [&] { draw_cuda(draw, rows, n, b.stream.get()); });
}

/// Products of a step, which read their weights once.
void decode_products(const Bench& b) {
  const int64_t n = b.o.rows, hidden = b.model.hidden_size;
  const Buffer x = b.numbers(n * hidden * b.size);
  const auto product = [&](const char* name, int64_t out, Element result) {
    const Buffer weight = b.numbers(out * hidden * b.size), y = Bench::memory(n * out * device::size_of(result));
    b.bytes("decode", name, (out * hidden + n * hidden) * b.size + n * out * device::size_of(result), [&] {
      device::matmul({x.data(), b.element, hidden}, {weight.data(), b.element, hidden, true}, {y.data(), result, out}, n, out, hidden,
                     b.stream.get());
    });
  };
  product("product_gate_up", 2 * b.model.intermediate_size, b.element);
  product("product_head", b.model.vocab_size, Element::kF32);
}

void train_rows(const Bench& b, const CudaTrainKernels& k) {
  const int64_t n = b.o.train_rows, hidden = b.model.hidden_size, inner = b.model.intermediate_size;
  const Buffer x = b.numbers(n * hidden * b.size), dy = b.numbers(n * hidden * b.size), weight = b.numbers(hidden * b.size);
  const Buffer y = Bench::memory(n * hidden * b.size), rstd = Bench::memory(n * 4), dweight = b.numbers(hidden * 4, true),
               partials = Bench::memory(kPartialBlocks * hidden * 4);
  b.bytes("train", "rms_norm", 2 * n * hidden * b.size,
          [&] { k.rms_norm(x.data(), weight.data(), y.data(), rstd.data<float>(), n, hidden, 1e-6F, b.stream.get()); });
  b.bytes("train", "rms_norm_backward", 3 * n * hidden * b.size, [&] {
    k.rms_norm_backward(dy.data(), x.data(), weight.data(), rstd.data<float>(), y.data(), dweight.data<float>(), partials.data<float>(), n,
                        hidden, b.stream.get());
  });
  const Buffer gate_up = b.numbers(n * 2 * inner * b.size), dgate_up = Bench::memory(n * 2 * inner * b.size),
               act = b.numbers(n * inner * b.size);
  b.bytes("train", "swiglu", 3 * n * inner * b.size, [&] { k.swiglu(gate_up.data(), act.data(), n, inner, b.stream.get()); });
  b.bytes("train", "swiglu_backward", 5 * n * inner * b.size,
          [&] { k.swiglu_backward(act.data(), gate_up.data(), dgate_up.data(), n, inner, b.stream.get()); });

  const auto ids = bench::spread_ids(n, b.model.vocab_size);
  std::vector<int64_t> order(ids.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&ids](int64_t i) { return ids[static_cast<size_t>(i)]; });
  const Buffer id_array = b.array(ids), order_array = b.array(order), table = b.numbers(b.model.vocab_size * hidden * b.size);
  b.bytes("train", "embedding", 2 * n * hidden * b.size,
          [&] { k.embedding(id_array.data<int32_t>(), table.data(), y.data(), n, hidden, b.stream.get()); });
  b.bytes("train", "embedding_backward", (n + 2 * std::min(n, b.model.vocab_size)) * hidden * b.size, [&] {
    k.embedding_backward(dy.data(), id_array.data<int32_t>(), order_array.data<int64_t>(), table.data(), n, hidden, b.stream.get());
  });
}

/// Groups of 8 completions behind one prompt.
void train_attention(const Bench& b, const CudaTrainKernels& k) {
  constexpr int64_t kGroup = 8;
  const int64_t prompt = b.o.prompt, completion = b.o.completion, group_rows = prompt + kGroup * completion;
  const int64_t groups = std::max<int64_t>(1, b.o.train_rows / group_rows), n = groups * group_rows;
  PackedTokens packed;
  const std::vector<int32_t> ids(static_cast<size_t>(std::max(prompt, completion)));
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t first = packed.add_segment(std::span(ids).first(static_cast<size_t>(prompt)));
    for (int64_t s = 0; s < kGroup; ++s) packed.add_segment(std::span(ids).first(static_cast<size_t>(completion)), first, first + prompt);
  }
  std::vector<AttentionSegment> segments;
  for (const auto& s : packed.segments) segments.push_back({s.begin, s.end, s.prefix_begin, s.prefix_end});
  const int64_t seen = groups * (prompt * (prompt + 1) / 2 + kGroup * (completion * prompt + completion * (completion + 1) / 2));
  const int64_t heads = b.model.num_attention_heads, row = b.model.qkv_size(), pairs = b.model.head_dim / 2;
  const Buffer segment_array = b.array(segments), position_array = b.array(packed.positions);
  const Buffer qkv = b.numbers(n * row * b.size), rotated = b.numbers(n * row * b.size), dqkv = Bench::memory(n * row * b.size);
  const Buffer cos = b.numbers((prompt + completion) * pairs * 4, true), sin = b.numbers((prompt + completion) * pairs * 4, true);
  const Buffer norm = b.model.qk_norm ? b.numbers(b.model.head_dim * b.size) : Buffer(), dnorm = b.numbers(b.model.head_dim * 4, true),
               rstd = Bench::memory(n * (heads + b.model.num_key_value_heads) * 4),
               partials = Bench::memory(kPartialBlocks * 2 * b.model.head_dim * 4);
  const QkNormRope rope{.qkv = qkv.data(),
                        .q_norm = norm.data(),
                        .k_norm = norm.data(),
                        .cos = cos.data<float>(),
                        .sin = sin.data<float>(),
                        .positions = position_array.data<int32_t>(),
                        .rstd = rstd.data<float>(),
                        .rows = n,
                        .heads = heads,
                        .kv_heads = b.model.num_key_value_heads,
                        .head_dim = b.model.head_dim,
                        .pairs = pairs};
  b.bytes("train", "qk_norm_rope", 2 * n * row * b.size, [&] { k.qk_norm_rope(rope, rotated.data(), 1e-6F, b.stream.get()); });
  const QkNormRopeGradient gradient{rotated.data(), dqkv.data(), dnorm.data<float>(), dnorm.data<float>(), partials.data<float>()};
  b.bytes("train", "qk_norm_rope_backward", 3 * n * row * b.size, [&] { k.qk_norm_rope_backward(rope, gradient, b.stream.get()); });

  const Buffer out = b.numbers(n * b.model.q_size() * b.size), lse = Bench::memory(n * heads * 4), delta = Bench::memory(n * heads * 4);
  const PackedAttention attention{.qkv = rotated.data(),
                                  .out = out.data(),
                                  .lse = lse.data<float>(),
                                  .segments = segment_array.data<AttentionSegment>(),
                                  .num_segments = static_cast<int64_t>(segments.size()),
                                  .rows = n,
                                  .longest = std::max(prompt, completion),
                                  .heads = heads,
                                  .kv_heads = b.model.num_key_value_heads,
                                  .head_dim = b.model.head_dim,
                                  .scale = 1.0F / std::sqrt(static_cast<float>(b.model.head_dim))};
  b.flops("train", "attention", 4 * b.model.q_size() * seen, [&] { k.attention(attention, b.stream.get()); });
  b.flops("train", "attention_backward", 10 * b.model.q_size() * seen, [&] {
    k.attention_backward(attention, {out.data(), dqkv.data(), delta.data<float>()}, b.stream.get());
  });
}

/// Of a layer's widest product: y = x W^T, dx = dy W, dW += dy^T x.
void train_products(const Bench& b) {
  const int64_t n = b.o.train_rows, in = b.model.hidden_size, out = 2 * b.model.intermediate_size;
  const Buffer x = b.numbers(n * in * b.size), weight = b.numbers(out * in * b.size), y = b.numbers(n * out * b.size);
  const auto matrix = [&](const Buffer& of, int64_t stride, bool transposed = false) {
    return device::Matrix{of.data(), b.element, stride, transposed};
  };
  const auto product = [&](const char* name, const device::Matrix& left, const device::Matrix& right, const Buffer& c, int64_t rows,
                           int64_t columns, int64_t depth, float beta) {
    b.flops("train", name, 2 * n * in * out, [&] {
      device::matmul(left, right, {c.data(), b.element, columns, 1.0F, beta}, rows, columns, depth, b.stream.get());
    });
  };
  product("product_forward", matrix(x, in), matrix(weight, in, true), y, n, out, in, 0.0F);
  product("product_input_gradient", matrix(y, out), matrix(weight, in), x, n, in, out, 0.0F);
  product("product_weight_gradient", matrix(y, out, true), matrix(x, in), weight, out, in, n, 1.0F);
}

void train_tokens(const Bench& b) {
  const int64_t n = b.o.logit_rows, vocab = b.model.vocab_size;
  const CudaTrainKernels& k = cuda_train_kernels(Element::kF32);  // logits are fp32 whatever the type
  const Buffer logits = b.numbers(n * vocab * 4, true), targets = b.array(bench::spread_ids(n, vocab)), gradients = b.numbers(n * 4, true);
  const Buffer logprobs = Bench::memory(n * 4), lse = Bench::memory(n * 4), entropy = Bench::memory(n * 4);
  b.bytes("train", "token_logprob", n * vocab * 4, [&] {
    k.token_logprob(logits.data(), targets.data<int32_t>(), logprobs.data<float>(), lse.data<float>(), entropy.data<float>(), n, vocab,
                    vocab, 1.0F, b.stream.get());
  });
  b.bytes("train", "token_logprob_backward", 2 * n * vocab * 4, [&] {
    k.token_logprob_backward(logits.data(), targets.data<int32_t>(), lse.data<float>(), entropy.data<float>(), gradients.data<float>(),
                             gradients.data<float>(), n, vocab, vocab, 1.0F, b.stream.get());
  });
}

void train_update(const Bench& b, const CudaTrainKernels& k) {
  const int64_t n = b.o.parameters;
  const Buffer masters = b.numbers(n * 4, true), gradients = b.numbers(n * b.size), exp_avg = b.numbers(n * 4, true),
               exp_avg_sq = Bench::memory(n * 4);
  device::fill(exp_avg_sq.data(), 0, n * 4, b.stream.get());
  const Buffer rounded = Bench::memory(n * b.size), partials = Bench::memory(square_partials(n) * 8), result = Bench::memory(8);
  void* weights = b.element == Element::kBF16 ? rounded.data() : nullptr;
  const AdamWStep step{1e-6F, 0.9F, 0.999F, 1e-8F, 0.0F, 0.1F, 0.001F, 1.0F};
  b.bytes("train", "adamw", n * (24 + b.size + (weights != nullptr ? b.size : 0)), [&] {
    k.adamw(masters.data<float>(), weights, gradients.data(), exp_avg.data<float>(), exp_avg_sq.data<float>(), 0, n, step, b.stream.get());
  });
  b.bytes("train", "sum_of_squares", n * b.size,
          [&] { k.sum_of_squares(gradients.data(), n, partials.data<double>(), result.data<double>(), b.stream.get()); });
}

void run(const Options& options) {
  if (device::count() == 0) fail_usage("benchmark", "expected a GPU and its driver; got none");
  const Bench b(options);
  const CudaTrainKernels& k = cuda_train_kernels(b.element);
  decode_rows(b);
  decode_attention(b);
  decode_products(b);
  decode_sampling(b);
  train_rows(b, k);
  train_attention(b, k);
  train_products(b);
  train_tokens(b);
  train_update(b, k);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Times the CUDA kernels");
  app.add_option("--shape", o.shape, "A model's shape, for example qwen2.5-0.5b");
  app.add_option("--compute", o.compute, "bfloat16 or float32")->check(CLI::IsMember({"bfloat16", "float32"}));
  app.add_option("--rows", o.rows, "Decoding: sequences");
  app.add_option("--context", o.context, "Decoding: positions of each");
  app.add_option("--train-rows", o.train_rows, "Training: tokens");
  app.add_option("--logit-rows", o.logit_rows, "Training: tokens whose logits are there at a time");
  app.add_option("--prompt", o.prompt, "Training: tokens of a prompt");
  app.add_option("--completion", o.completion, "Training: tokens of each of its 8 completions");
  app.add_option("--parameters", o.parameters, "Of the optimiser");
  app.add_option("--copy-mib", o.copy_mib, "MiB of the copy that shares are of");
  app.add_option("--product", o.product, "Side of the square product that shares are of");
  CLI11_PARSE(app, argc, argv);
  return bench::run_program([&o] { run(o); });
}
