// Tokens per second of the rollout engine on a model of a given shape with new weights, beside what the machine's arithmetic and memory
// allow as measured in the same process; one line of JSON. Besides the wall clock's rates there are those of processor time over threads,
// which other processes on the machine disturb little: the share of the limit is taken of these.
#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "decode.h"
#include "dispatch.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"
#include "support/work.h"

namespace {

constexpr const char* kUsage =
    "expected --shape=tiny-1m|tiny-6m|smollm2-135m|qwen2.5-0.5b|…, --compute=float32|bfloat16|int8, --kv=float32|bfloat16 or --slots, "
    "--threads, --groups, --generations, --prompt, --length, --layers, --repetitions =N; got ";

struct Shape {
  std::string name, compute = "float32", kv = "float32";
  grpo::ModelConfig model;
  grpo::SamplingParams sampling;
  grpo::EngineOptions engine;
  int64_t groups = 4, prompt_length = 64, repetitions = 1;
};

/// Sizes and slots as the peers are measured with.
Shape shape_of(const std::string& name) {
  Shape shape;
  shape.name = name;
  shape.model = grpo::bench::model_shape(name);
  if (name.starts_with("tiny")) {
    shape.engine.max_slots = 128;
    shape.groups = 16;
    shape.prompt_length = 16;
    shape.repetitions = 3;
  } else if (name == "smollm2-135m") {
    shape.engine.max_slots = 32;
  } else {
    shape.engine.max_slots = 16;
    shape.groups = 2;
  }
  shape.sampling.num_generations = 8;
  shape.sampling.max_completion_length = 64;
  return shape;
}

Shape parse(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    if (equals == std::string::npos) grpo::fail_usage("benchmark_rollout", kUsage + flag);
    given[flag.substr(0, equals)] = flag.substr(equals + 1);
  }
  Shape shape = shape_of(given.count("--shape") > 0 ? given["--shape"] : "tiny-1m");
  given.erase("--shape");
  int64_t threads = 0;
  const std::map<std::string, int64_t*> numbers = {{"--slots", &shape.engine.max_slots},
                                                   {"--threads", &threads},
                                                   {"--groups", &shape.groups},
                                                   {"--generations", &shape.sampling.num_generations},
                                                   {"--prompt", &shape.prompt_length},
                                                   {"--length", &shape.sampling.max_completion_length},
                                                   {"--layers", &shape.model.num_hidden_layers},
                                                   {"--repetitions", &shape.repetitions}};
  const std::map<std::string, grpo::ComputeDType> computes = {
      {"float32", grpo::ComputeDType::kFloat32}, {"bfloat16", grpo::ComputeDType::kBFloat16}, {"int8", grpo::ComputeDType::kInt8}};
  for (const auto& [name, value] : given) {
    if (name == "--compute" && computes.count(value) > 0) {
      shape.engine.compute_dtype = computes.at(shape.compute = value);
    } else if (name == "--kv" && (value == "float32" || value == "bfloat16")) {
      shape.kv = value;
      shape.engine.kv_dtype = value == "float32" ? grpo::KvDType::kFloat32 : grpo::KvDType::kBFloat16;
    } else if (numbers.count(name) > 0) {
      *numbers.at(name) = std::atoll(value.c_str());
    } else {
      grpo::fail_usage("benchmark_rollout", kUsage + name + "=" + value);
    }
  }
  if (shape.sampling.max_completion_length < 2) grpo::fail_usage("benchmark_rollout", "expected --length of at least 2");
  shape.engine.threads = static_cast<int>(threads > 0 ? threads : omp_get_max_threads());
  return shape;
}

struct Time {
  double wall = 1e30, cpu = 1e30;  // seconds; cpu: of all threads together
};

/// The least of `repetitions`, after one to warm up.
Time best_of(int64_t repetitions, const std::function<void()>& work) {
  work();
  Time best;
  for (int64_t i = 0; i < repetitions; ++i) {
    const std::clock_t cpu = std::clock();
    const auto start = std::chrono::steady_clock::now();
    work();
    best.wall = std::min(best.wall, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    best.cpu = std::min(best.cpu, static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
  }
  return best;
}

/// What the multipliers of one thread can do in this type, multiply-adds counted as two: the faster of the library's product of large
/// matrices (it has none for int8) and the engine's own tile on operands in the first-level cache. Operations per second of processor time.
double arithmetic_rate(const Shape& shape) {
  const grpo::kernels::DecodeKernels& table = *grpo::kernels::cpu_kernels().decode;
  const bool int8 = shape.compute == "int8", bfloat16 = shape.compute == "bfloat16";
  const grpo::kernels::LinearKernels& kernels = int8 ? table.int8 : bfloat16 ? table.bfloat16 : table.float32;
  constexpr int64_t kWords = 96, kRows = 16, kCalls = 20000;
  const int64_t stride = kWords * kernels.input_words;
  const std::vector<uint32_t> weight(static_cast<size_t>(kWords * table.panel_columns)), x(static_cast<size_t>(stride * kRows));
  const std::vector<float> scale(static_cast<size_t>(table.panel_columns));
  const std::vector<grpo::kernels::RowScale> scales(kRows);
  std::vector<float> y(static_cast<size_t>(kRows * table.panel_columns));
  const Time tile = best_of(3, [&] {
    for (int64_t i = 0; i < kCalls; ++i) {
      kernels.linear({weight.data(), scale.data(), nullptr, kWords, nullptr}, {x.data(), stride, scales.data()},
                     {y.data(), table.panel_columns}, kRows, false);
    }
  });
  const double own = 2.0 * static_cast<double>(kCalls * kRows * table.panel_columns * kWords * kernels.per_word) / tile.cpu;
  if (int8) return own;
  at::set_num_threads(1);
  const at::ScalarType type = bfloat16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor a = at::randn({1024, 1024}).to(type), b = at::randn({1024, 1024}).to(type);
  const Time product = best_of(5, [&] { at::mm(a, b); });
  at::set_num_threads(shape.engine.threads);
  return std::max(own, 2.0 * 1024 * 1024 * 1024 / product.cpu);
}

// Long enough for the clock of processor time, which counts other threads by the scheduler's ticks.
constexpr int kReads = 16;
constexpr double kReadBytes = kReads * 4.0 * (int64_t{64} << 20);

/// Of reading kReadBytes from memory.
Time read_time() {
  const at::Tensor block = at::zeros({int64_t{64} << 20});
  return best_of(3, [&] {
    for (int i = 0; i < kReads; ++i) block.sum();
  });
}
/// Weights that every token multiplies.
double weights(const grpo::ModelConfig& m) {
  const int64_t layer = m.hidden_size * (m.qkv_size() + m.q_size() + 3 * m.intermediate_size);
  return static_cast<double>(m.num_hidden_layers * layer + m.hidden_size * m.vocab_size);
}

/// A step needs the time of its linear layers' arithmetic or that of reading the weights once, whichever is longer; tokens per second.
double limit(const Shape& shape, double flops, double bandwidth) {
  const double bytes = shape.compute == "int8"       ? 1
                       : shape.compute == "bfloat16" ? 2
                                                     : 4,
               rows = static_cast<double>(shape.engine.max_slots);
  return rows / std::max(2.0 * weights(shape.model) * rows / flops, weights(shape.model) * bytes / bandwidth);
}

void run(const Shape& shape) {
  at::set_num_threads(shape.engine.threads);
  grpo::Transformer model(shape.model, at::kFloat, at::kCPU);
  grpo::init_weights(model, 1);
  grpo::RolloutEngine engine(model, shape.engine);
  std::vector<grpo::Prompt> prompts;
  for (int64_t g = 0; g < shape.groups; ++g) {
    grpo::Prompt& prompt = prompts.emplace_back();
    prompt.problem = g;
    for (int64_t i = 0; i < shape.prompt_length; ++i) prompt.ids.push_back(static_cast<int32_t>((31 * g + 7 * i) % shape.model.vocab_size));
  }
  const auto timed = [&](int64_t length, int64_t repetitions) {
    grpo::SamplingParams params = shape.sampling;
    params.max_completion_length = length;
    return best_of(repetitions, [&] { engine.generate(prompts, params, {}); });
  };
  const int64_t length = shape.sampling.max_completion_length;
  const double threads = shape.engine.threads, arithmetic = arithmetic_rate(shape) * threads;
  const Time read = read_time();
  const Time first = timed(1, shape.repetitions), all = timed(length, shape.repetitions);
  const Time packed = best_of(shape.repetitions, [&] {
    model.parameters().front()->mark_written();
    grpo::SamplingParams params = shape.sampling;
    params.max_completion_length = 1;
    engine.generate(prompts, params, {});
  });
  const auto tokens = static_cast<double>(shape.groups * shape.sampling.num_generations * (length - 1));
  const double per_cpu = tokens / (all.cpu - first.cpu) * threads, bandwidth = kReadBytes / read.cpu * threads;
  const double bound = limit(shape, arithmetic, bandwidth);
  const nlohmann::ordered_json line = {{"work", "rollout"},
                                       {"shape", shape.name},
                                       {"compute_dtype", shape.compute},
                                       {"kv_dtype", shape.kv},
                                       {"isa", grpo::kernels::cpu_kernels().isa},
                                       {"threads", shape.engine.threads},
                                       {"slots", shape.engine.max_slots},
                                       {"prompt_tokens", shape.prompt_length},
                                       {"completion_tokens", length},
                                       {"decode_tokens_per_second", tokens / (all.wall - first.wall)},
                                       {"first_token_seconds", first.wall},
                                       {"packing_seconds", packed.wall - first.wall},
                                       {"cpu_per_wall", all.cpu / all.wall},
                                       {"by_cpu_time",
                                        {{"decode_tokens_per_second", per_cpu},
                                         {"arithmetic_gflop_per_second", arithmetic * 1e-9},
                                         {"read_gb_per_second", bandwidth * 1e-9},
                                         {"limit_tokens_per_second", bound},
                                         {"share_of_limit", per_cpu / bound}}}};
  std::printf("%s\n", line.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) try { run(parse(argc, argv)); } catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
