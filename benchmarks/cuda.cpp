// What the library does on one GPU, with new weights in real shapes: JSON lines for the device's limits, decoding, an optimiser step and
// the head's log-probs. Compute in bfloat16 unless --compute=float32. Built with GRPO_CUDA.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

#include <CLI/CLI.hpp>

#include "device.h"
#include "grpo/algorithm/batch.h"
#include "grpo/core/random.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/rollout/engine.h"
#include "ops/ops.h"
#include "support/measure.h"
#include "support/work.h"

namespace {

using namespace grpo;
using bench::Json;

struct Options {
  std::string shape = "qwen2.5-0.5b", compute = "bfloat16";
  int64_t layers = 0, prompts = 32, generations = 8, prompt = 512, completion = 512;
  int64_t max_tokens = 32768;  // rows of a micro-batch
  at::ScalarType dtype() const { return compute == "float32" ? at::kFloat : at::kBFloat16; }
};

/// Shortest of several runs, each with the device's work; the first is not timed.
double seconds_of(const std::function<void()>& work, int runs = 3) {
  const auto whole = [&] {
    work();
    device::synchronize();
  };
  device::synchronize();
  return bench::best_seconds(whole, runs, 0.0);
}

int64_t allocated(bool peak) {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
  return peak ? stats.allocated_bytes[0].peak : stats.allocated_bytes[0].current;
}

/// Highest of torch's memory during `work`, above what there was.
double extra_mib(const std::function<void()>& work) {
  c10::cuda::CUDACachingAllocator::resetPeakStats(c10::cuda::current_device());
  const int64_t before = allocated(false);
  work();
  device::synchronize();
  return static_cast<double>(allocated(true) - before) / (1 << 20);
}

struct DeviceLimits {
  double copy_gb_s, matmul_tflop_s;
};

DeviceLimits limits(const Options& o) {
  constexpr int64_t kBytes = int64_t{1} << 30, kSize = 8192;
  const at::Tensor from = at::ones({kBytes}, at::TensorOptions(at::kCUDA).dtype(at::kByte)), to = at::empty_like(from);
  const at::Tensor a = at::randn({kSize, kSize}, at::TensorOptions(at::kCUDA).dtype(o.dtype())), b = a.clone();
  at::Tensor c = at::empty_like(a);
  const double copy = seconds_of([&] { to.copy_(from); }), product = seconds_of([&] { at::mm_out(c, a, b); });
  const DeviceLimits found{2e-9 * kBytes / copy, 2e-12 * kSize * kSize * kSize / product};
  const auto device = device::properties();
  bench::print({{"work", "limits"},
                {"device", device.name},
                {"multiprocessors", device.multiprocessors},
                {"compute", o.compute},
                {"copy_gb_s", found.copy_gb_s},
                {"matmul_tflop_s", found.matmul_tflop_s}});
  return found;
}

Json model_row(std::string_view work, const Options& o, const ModelConfig& config) {
  return {{"work", work},
          {"shape", o.shape},
          {"layers", config.num_hidden_layers},
          {"parameters", config.num_parameters()},
          {"compute", o.compute}};
}

Json batch_row(std::string_view work, const Options& o, const ModelConfig& config) {
  Json row = model_row(work, o, config);
  row.update({{"prompts", o.prompts}, {"generations", o.generations}, {"prompt_tokens", o.prompt}, {"completion_tokens", o.completion}});
  return row;
}

/// New weights, drawn on the device.
void fill(Transformer& model) {
  const c10::NoGradGuard no_grad;
  for (auto& parameter : model.named_parameters()) {
    if (parameter.value.dim() == 1) {
      parameter.value.fill_(1.0);
    } else {
      parameter.value.normal_(0.0, 0.02);
    }
  }
}

void decode(const Options& o, Transformer& model) {
  SamplingParams params;
  params.num_generations = o.generations;
  params.max_completion_length = o.completion;
  params.ignore_eos = true;
  std::vector<Prompt> prompts;
  for (int64_t p = 0; p < o.prompts; ++p) {
    Prompt& prompt = prompts.emplace_back();
    prompt.problem = p;
    for (int64_t t = 0; t < o.prompt; ++t) prompt.ids.push_back(static_cast<int32_t>((31 * p + 7 * t + t * t) % model.config().vocab_size));
  }
  RolloutEngine engine(model, {.max_slots = o.prompts * o.generations, .kv_budget_bytes = int64_t{24} << 30});
  const double seconds = seconds_of([&] { engine.generate(prompts, params, {}); }, 2);
  const auto tokens = static_cast<double>(o.prompts * o.generations * o.completion);
  Json row = batch_row("decode", o, model.config());
  row.update({{"seconds", seconds}, {"tokens_per_second", tokens / seconds}});
  bench::print(row);
}

/// 256 requests whose prompts and completions have 100 to 1,024 tokens each, evenly spread (the mix of nano-vllm's bench.py). The floor:
/// all requests at a time, weights and live keys and values read once a step, prompts at the rate of the matrix product.
void decode_mixed(const Options& o, Transformer& model, const DeviceLimits& limits) {
  constexpr int64_t kRequests = 256, kShortest = 100, kLongest = 1024;
  const ModelConfig& config = model.config();
  const double weight_bytes = static_cast<double>(config.num_parameters() * at::elementSize(o.dtype()));
  const auto kv_bytes =
      static_cast<double>(2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * at::elementSize(o.dtype()));
  Random random(0);
  std::vector<Prompt> prompts;
  int64_t inputs = 0, outputs = 0, steps = 0;
  double kv_read = 0.0;
  for (int64_t p = 0; p < kRequests; ++p) {
    Prompt& prompt = prompts.emplace_back();
    prompt.problem = p;
    const int64_t input = random.uniform_int(kShortest, kLongest), output = random.uniform_int(kShortest, kLongest);
    for (int64_t t = 0; t < input; ++t) prompt.ids.push_back(static_cast<int32_t>(random.uniform_int(0, 10000) % config.vocab_size));
    prompt.max_completion_length = output;
    inputs += input;
    outputs += output;
    steps = std::max(steps, output);
    kv_read += kv_bytes * static_cast<double>(output * input + output * (output - 1) / 2);
  }
  SamplingParams params;
  params.num_generations = 1;
  params.max_completion_length = kLongest;
  params.ignore_eos = true;
  RolloutEngine engine(model, {.max_slots = kRequests, .kv_budget_bytes = int64_t{24} << 30});
  const double seconds = seconds_of([&] { engine.generate(prompts, params, {}); }, 2);
  const double floor = (static_cast<double>(steps) * weight_bytes + kv_read) * 1e-9 / limits.copy_gb_s +
                       2e-12 * static_cast<double>(config.num_parameters() * inputs) / limits.matmul_tflop_s;
  Json row = model_row("decode_mixed", o, config);
  row.update({{"requests", kRequests},
              {"prompt_tokens", inputs},
              {"completion_tokens", outputs},
              {"seconds", seconds},
              {"tokens_per_second", static_cast<double>(outputs) / seconds},
              {"floor_seconds", floor},
              {"share_of_floor", floor / seconds}});
  bench::print(row);
}

void train(const Options& o, Transformer& model, const DeviceLimits& limits) {
  const bench::StepWork work{o.prompts, o.generations, o.prompt, o.completion};
  const Batch batch = make_batch(bench::random_rollouts(model.config(), work, 1), {});
  const auto micro_batches = batch.split({.max_tokens = o.max_tokens});
  AdamW optimizer(model.parameters(), {.learning_rate = 1e-6});
  const auto step = [&] {
    optimizer.zero_grad();
    for (const auto& micro : micro_batches)
      model.forward_backward(micro, [](const TokenOutputs& out) { return out.logprobs.mean().neg(); }, {.recompute = Recompute::kAll});
    optimizer.step();
  };
  const double seconds = seconds_of(step, 2), update = seconds_of([&] { optimizer.step(); });
  const auto rows = static_cast<double>(work.rows());
  const double flops = bench::train_flops(model.config(), work);
  Json row = batch_row("train_step", o, model.config());
  row.update({{"recompute", "all"},
              {"rows", work.rows()},
              {"micro_batches", micro_batches.size()},
              {"seconds", seconds},
              {"optimizer_seconds", update},
              {"rows_per_second", rows / seconds},
              {"tflop_s", 1e-12 * flops / seconds},
              {"share_of_matmul", 1e-12 * flops / seconds / limits.matmul_tflop_s},
              {"tflop_s_6nd", 6e-12 * static_cast<double>(model.config().num_parameters()) * rows / seconds},
              {"peak_mib_above_weights_and_optimizer", extra_mib(step)}});
  bench::print(row);
}

void head(const Options& o, const ModelConfig& config, const DeviceLimits& limits) {
  constexpr int64_t kRows = 32768;
  const auto there = at::TensorOptions(at::kCUDA).dtype(o.dtype());
  const at::Tensor hidden = at::randn({kRows, config.hidden_size}, there).requires_grad_(true),
                   weight = at::randn({config.vocab_size, config.hidden_size}, there).mul_(0.02).requires_grad_(true),
                   targets = at::randint(0, config.vocab_size, {kRows}, there.dtype(at::kInt));
  hidden.mutable_grad() = at::zeros_like(hidden);
  weight.mutable_grad() = at::zeros_like(weight);
  const auto work = [&] {
    const auto out = ops::linear_logprob(hidden, weight, targets, 1.0, config.vocab_size, true, {.into_grad = true});
    (out.logprobs + 0.01 * out.entropy).sum().backward();
  };
  const double seconds = seconds_of(work), flops = 8.0 * static_cast<double>(kRows * config.vocab_size * config.hidden_size);
  bench::print({{"work", "head"},
                {"rows", kRows},
                {"vocab", config.vocab_size},
                {"hidden", config.hidden_size},
                {"compute", o.compute},
                {"seconds", seconds},
                {"tflop_s", 1e-12 * flops / seconds},  // forward once and again, and two products backward
                {"share_of_matmul", 1e-12 * flops / seconds / limits.matmul_tflop_s},
                {"extra_mib", extra_mib(work)}});
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Decoding, training and log-probs on one GPU");
  app.add_option("--shape", o.shape, "A model's shape, for example qwen2.5-0.5b");
  app.add_option("--compute", o.compute, "bfloat16 or float32")->check(CLI::IsMember({"bfloat16", "float32"}));
  app.add_option("--layers", o.layers, "Instead of the shape's own");
  app.add_option("--prompts", o.prompts, "Groups");
  app.add_option("--generations", o.generations, "Samples of a group");
  app.add_option("--prompt", o.prompt, "Tokens of a prompt");
  app.add_option("--completion", o.completion, "Tokens of a completion");
  app.add_option("--max-tokens", o.max_tokens, "Rows of a micro-batch");
  CLI11_PARSE(app, argc, argv);
  return bench::run_program([&o] {
    const DeviceLimits found = limits(o);
    ModelConfig config = bench::model_shape(o.shape, o.layers);
    config.max_position_embeddings = std::max({config.max_position_embeddings, o.prompt + o.completion, int64_t{2048}});
    head(o, config, found);
    Transformer model(config, o.dtype(), ops::cuda_device());
    fill(model);
    decode(o, model);
    decode_mixed(o, model, found);
    train(o, model, found);
  });
}
