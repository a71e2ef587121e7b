// Tokens per second of the rollout engine on a model of a given shape with new weights; one line of JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dispatch.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"

namespace {

struct Shape {
  grpo::ModelConfig model;
  grpo::SamplingParams sampling;
  grpo::EngineOptions engine;
  int64_t groups = 16, prompt_length = 64;
  int64_t repetitions = 3;
};

// About 1M parameters, 128 slots.
Shape small_shape() {
  Shape shape;
  shape.model.vocab_size = 1024;
  shape.model.hidden_size = 128;
  shape.model.intermediate_size = 384;
  shape.model.num_hidden_layers = 4;
  shape.model.num_attention_heads = 4;
  shape.model.num_key_value_heads = 2;
  shape.model.head_dim = 32;
  shape.model.tie_word_embeddings = true;
  shape.sampling.max_completion_length = 128;
  shape.engine.max_slots = 128;
  return shape;
}

// HuggingFaceTB/SmolLM2-135M, 32 slots.
Shape smollm2_shape() {
  Shape shape = small_shape();
  shape.model.vocab_size = 49152;
  shape.model.hidden_size = 576;
  shape.model.intermediate_size = 1536;
  shape.model.num_hidden_layers = 30;
  shape.model.num_attention_heads = 9;
  shape.model.num_key_value_heads = 3;
  shape.model.head_dim = 64;
  shape.engine.max_slots = 32;
  shape.groups = 4;
  shape.repetitions = 1;
  return shape;
}

Shape parse(int argc, char** argv) {
  Shape shape = small_shape();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    const std::string name = flag.substr(0, equals);
    const int64_t value = equals == std::string::npos ? 0 : std::atoll(flag.c_str() + equals + 1);
    if (name == "--smollm2") {
      shape = smollm2_shape();
    } else if (name == "--slots") {
      shape.engine.max_slots = value;
    } else if (name == "--threads") {
      shape.engine.threads = static_cast<int>(value);
    } else if (name == "--groups") {
      shape.groups = value;
    } else if (name == "--generations") {
      shape.sampling.num_generations = value;
    } else if (name == "--prompt") {
      shape.prompt_length = value;
    } else if (name == "--length") {
      shape.sampling.max_completion_length = value;
    } else if (name == "--layers") {
      shape.model.num_hidden_layers = value;
    } else {
      grpo::fail_usage(
          "benchmark_rollout",
          "expected --smollm2 (first) or --slots, --threads, --groups, --generations, --prompt, --length, --layers =N; got " + flag);
    }
  }
  return shape;
}

// Multiply-adds counted as two, of the linear layers and of attention.
double flops(const Shape& shape) {
  const grpo::ModelConfig& m = shape.model;
  const double layer = static_cast<double>(m.hidden_size * (m.qkv_size() + m.q_size() + 3 * m.intermediate_size));
  const auto length = static_cast<double>(shape.sampling.max_completion_length), prompt = static_cast<double>(shape.prompt_length);
  const auto layers = static_cast<double>(m.num_hidden_layers), heads = static_cast<double>(m.q_size());
  const double token =
      2.0 * (layers * layer + static_cast<double>(m.hidden_size * m.vocab_size)) + 4.0 * layers * heads * (prompt + length / 2);
  const double prefill = prompt * layers * (2.0 * layer + 2.0 * heads * prompt);
  return static_cast<double>(shape.groups) * (static_cast<double>(shape.sampling.num_generations) * length * token + prefill);
}

double seconds_of(grpo::RolloutEngine& engine, const std::vector<grpo::Prompt>& prompts, const grpo::SamplingParams& params) {
  const auto start = std::chrono::steady_clock::now();
  engine.generate(prompts, params, {});
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void run(const Shape& shape) {
  grpo::Transformer model(shape.model, at::kFloat, at::kCPU);
  grpo::init_weights(model, 1);
  grpo::RolloutEngine engine(model, shape.engine);
  std::vector<grpo::Prompt> prompts;
  for (int64_t g = 0; g < shape.groups; ++g) {
    grpo::Prompt& prompt = prompts.emplace_back();
    prompt.problem = g;
    for (int64_t i = 0; i < shape.prompt_length; ++i) prompt.ids.push_back(static_cast<int32_t>((31 * g + 7 * i) % shape.model.vocab_size));
  }
  grpo::SamplingParams warm_up = shape.sampling;
  warm_up.max_completion_length = 1;
  seconds_of(engine, prompts, warm_up);  // packs the weights
  double best = seconds_of(engine, prompts, shape.sampling);
  for (int64_t i = 1; i < shape.repetitions; ++i) best = std::min(best, seconds_of(engine, prompts, shape.sampling));
  const int64_t tokens = shape.groups * shape.sampling.num_generations * shape.sampling.max_completion_length;
  std::printf("%s\n", nlohmann::ordered_json{{"work", "rollout"},
                                             {"isa", grpo::kernels::cpu_kernels().isa},
                                             {"parameters", shape.model.num_parameters()},
                                             {"slots", shape.engine.max_slots},
                                             {"prompts", shape.groups},
                                             {"prompt_tokens", shape.groups * shape.prompt_length},
                                             {"tokens", tokens},
                                             {"seconds", best},
                                             {"tokens_per_second", static_cast<double>(tokens) / best},
                                             {"gflop_per_second", flops(shape) / best * 1e-9}}
                          .dump()
                          .c_str());
}

}  // namespace

int main(int argc, char** argv) try { run(parse(argc, argv)); } catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
