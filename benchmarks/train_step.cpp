// Seconds of one optimiser step (forward, backward, AdamW) on a packed batch of groups, for models of given shapes with new weights;
// one line of JSON. The floor is the step's multiply-adds over the faster rate of torch and the kernels at a large matrix product, measured
// in the same run.
#include <ATen/Parallel.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "dispatch.h"
#include "grpo/core/error.h"
#include "grpo/core/memory.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "train.h"

namespace {

using namespace grpo;

struct Workload {
  std::string name = "tiny-1m";
  ModelConfig model;
  int64_t groups = 16, samples = 8, prompt = 64, completion = 64;
  int64_t max_tokens = 8192;  // rows of a micro-batch: whole groups
  int64_t repetitions = 5;
  BackwardOptions backward;
  ComputeOptions compute;
};

ModelConfig llama(int64_t hidden, int64_t intermediate, int64_t layers, int64_t heads, int64_t kv_heads, int64_t vocab) {
  ModelConfig c;
  c.hidden_size = hidden;
  c.intermediate_size = intermediate;
  c.num_hidden_layers = layers;
  c.num_attention_heads = heads;
  c.num_key_value_heads = kv_heads;
  c.head_dim = hidden / heads;
  c.vocab_size = vocab;
  c.tie_word_embeddings = true;
  return c;
}

Workload workload(const std::string& name) {
  Workload w;
  w.name = name;
  if (name == "tiny-1m") {
    w.model = llama(128, 384, 4, 4, 4, 512);
  } else if (name == "tiny-6m") {
    w.model = llama(256, 704, 8, 8, 8, 512);
  } else if (name == "smollm2-135m") {
    w.model = llama(576, 1536, 30, 9, 3, 49152);
    w.groups = 4;
    w.repetitions = 2;
  } else if (name == "head-152k") {  // what log-probs of a large vocabulary cost beside one thin layer
    w.model = llama(64, 64, 1, 1, 1, 151'936);
    w.groups = 4;
    w.repetitions = 2;
  } else {
    fail_usage("benchmark_train_step", "expected --shape=tiny-1m, tiny-6m, smollm2-135m or head-152k; got " + name);
  }
  return w;
}

Workload parse(int argc, char** argv) {
  Workload w = workload("tiny-1m");
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    const std::string name = flag.substr(0, equals), text = equals == std::string::npos ? "" : flag.substr(equals + 1);
    const int64_t value = std::atoll(text.c_str());
    if (name == "--shape") {
      w = workload(text);
    } else if (name == "--groups") {
      w.groups = value;
    } else if (name == "--samples") {
      w.samples = value;
    } else if (name == "--prompt") {
      w.prompt = value;
    } else if (name == "--completion") {
      w.completion = value;
    } else if (name == "--layers") {
      w.model.num_hidden_layers = value;
    } else if (name == "--repetitions") {
      w.repetitions = value;
    } else if (name == "--threads") {
      at::set_num_threads(static_cast<int>(value));
    } else if (name == "--bf16") {
      w.compute.dtype = at::kBFloat16;
    } else if (name == "--exact") {
      w.compute.exact = true;
    } else if (name == "--recompute") {
      w.backward.recompute = Recompute::kAll;
    } else {
      fail_usage("benchmark_train_step",
                 "expected --shape=NAME (first) or --groups, --samples, --prompt, --completion, --layers, --repetitions, --threads =N, "
                 "--recompute, --bf16, --exact; got " +
                     flag);
    }
  }
  return w;
}

/// A prompt once, then its completions, each of which predicts all of its own tokens.
void add_group(PackedTokens& batch, const Workload& w, int64_t group) {
  const auto ids = [&](int64_t from, int64_t count) {
    std::vector<int32_t> made;
    for (int64_t i = from; i < from + count; ++i) made.push_back(static_cast<int32_t>((31 * group + 7 * i + i * i) % w.model.vocab_size));
    return made;
  };
  const int64_t begin = batch.add_segment(ids(0, w.prompt)), end = batch.num_tokens();
  for (int64_t sample = 0; sample < w.samples; ++sample) {
    batch.add_completion(ids(w.prompt + sample * w.completion, w.completion), begin, end, group * w.samples + sample);
  }
}

std::vector<PackedTokens> micro_batches(const Workload& w) {
  const int64_t group_rows = w.prompt + w.samples * w.completion, at_a_time = std::max<int64_t>(1, w.max_tokens / group_rows);
  std::vector<PackedTokens> batches;
  for (int64_t group = 0; group < w.groups; ++group) {
    if (group % at_a_time == 0) batches.emplace_back();
    add_group(batches.back(), w, group);
  }
  return batches;
}

/// Multiply-adds counted as two: forward once, backward twice; the head on pairs alone. Recomputed work is not counted.
double step_flops(const Workload& w) {
  const ModelConfig& m = w.model;
  const auto prompt = static_cast<double>(w.prompt), completion = static_cast<double>(w.completion);
  const double samples = static_cast<double>(w.samples), rows = prompt + samples * completion;
  const double layer = static_cast<double>(m.hidden_size * (m.qkv_size() + m.q_size() + 3 * m.intermediate_size)),
               head = static_cast<double>(m.hidden_size * m.vocab_size);
  const double scores = prompt * prompt / 2 + samples * completion * (prompt + completion / 2);
  const double attention = 4.0 * static_cast<double>(m.q_size()) * scores;
  return 3.0 * static_cast<double>(w.groups) *
         (static_cast<double>(m.num_hidden_layers) * (2.0 * layer * rows + attention) + 2.0 * head * samples * completion);
}

template <class Work>
double best_seconds(int64_t repetitions, const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < repetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// Multiply-adds per second, counted as two, of matrix products too large for overheads to show.
struct MatmulRates {
  double torch, kernels;  // torch's in float32; the kernels' in the workload's precision
};

MatmulRates matmul_rates(at::ScalarType dtype) {
  constexpr int64_t kSize = 1536;
  constexpr double kFlops = 2.0 * kSize * kSize * kSize;
  const auto precision = dtype == at::kFloat ? kernels::Precision::kFloat32 : kernels::Precision::kBfloat16;
  const at::Tensor a = at::randn({kSize, kSize}), b = at::randn({kSize, kSize});
  at::Tensor c = at::empty({kSize, kSize});
  const double torch = best_seconds(4, [&] { at::mm_out(c, a, b); });
  const double own = best_seconds(4, [&] {
    kernels::cpu_kernels().train->product({a.const_data_ptr<float>(), kSize, true}, {b.const_data_ptr<float>(), kSize, false},
                                          c.mutable_data_ptr<float>(), kSize, {kSize, kSize, kSize}, false, precision);
  });
  return {kFlops / torch, kFlops / own};
}

int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

void run(const Workload& w) {
  keep_freed_memory();  // as the trainers do
  Transformer model(w.model, at::kFloat, at::kCPU);
  init_weights(model, 1);
  model.set_compute(w.compute);
  AdamW optimizer(model.parameters(), {.learning_rate = 1e-4});
  const std::vector<PackedTokens> batches = micro_batches(w);
  const auto gradients = [&] {
    optimizer.zero_grad();
    for (const PackedTokens& batch : batches) {
      const at::Tensor weights = at::randn({batch.num_pairs()});
      model.forward_backward(
          batch, [&](const TokenOutputs& out) { return at::dot(out.logprobs, weights); }, w.backward);
    }
  };
  gradients();
  const int64_t before = peak_bytes();
  const std::clock_t start = std::clock();
  gradients();
  const double cpu_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  const MatmulRates rates = matmul_rates(w.compute.dtype);
  const double rate = std::max(rates.torch, rates.kernels), backward = best_seconds(w.repetitions, gradients),
               update = best_seconds(w.repetitions, [&] { optimizer.step(1e-4); });
  int64_t rows = 0;
  for (const PackedTokens& batch : batches) rows += batch.num_tokens();
  const double flops = step_flops(w), seconds = backward + update;
  std::printf("%s\n", nlohmann::ordered_json{{"work", "train_step"},
                                             {"shape", w.name},
                                             {"compute", c10::toString(w.compute.dtype)},
                                             {"exact", w.compute.exact},
                                             {"isa", kernels::cpu_kernels().isa},
                                             {"threads", at::get_num_threads()},
                                             {"parameters", w.model.num_parameters()},
                                             {"rows", rows},
                                             {"seconds", seconds},
                                             {"forward_backward_seconds", backward},
                                             {"forward_backward_cpu_seconds", cpu_seconds},
                                             {"optimizer_seconds", update},
                                             {"rows_per_second", static_cast<double>(rows) / seconds},
                                             {"gflop_per_second", flops / seconds * 1e-9},
                                             {"matmul_gflop_per_second", rates.kernels * 1e-9},
                                             {"torch_matmul_gflop_per_second", rates.torch * 1e-9},
                                             {"floor_share", flops / rate / seconds},
                                             {"peak_mib", static_cast<double>(before) / (1 << 20)}}
                          .dump()
                          .c_str());
}

}  // namespace

int main(int argc, char** argv) try { run(parse(argc, argv)); } catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
