// Throughput of the rollout engine on a model folder, every sequence with a prompt of its own: the work and the fields of hf_generate.py.
// One line of JSON a run, then a summary.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"
#include "support/measure.h"
#include "support/work.h"

namespace {

using grpo::bench::Json;

struct Arguments {
  std::string model, dtype = "float32";
  int64_t batch = 16, prompt_length = 64, new_tokens = 64, repeats = 3;
  int threads = 0;
  bool floor = false;
};

/// `prefill_s` ends when every sequence has its first token.
Json generate(grpo::RolloutEngine& engine, const std::vector<grpo::Prompt>& prompts, const Arguments& a, int64_t run) {
  const grpo::bench::Stopwatch watch;
  int64_t first_tokens = 0, before_decoding = 0, tokens = 0;
  double prefill = 0;
  grpo::GenerateContext context;
  context.on_token = [&](const grpo::TokenEvent& event) {
    ++tokens;
    if (event.position > 0 || ++first_tokens < a.batch) return;
    prefill = watch.wall();
    before_decoding = tokens;
  };
  grpo::SamplingParams params;
  params.num_generations = 1;
  params.max_completion_length = a.new_tokens;
  params.ignore_eos = true;
  engine.generate(prompts, params, {.seed = 0, .step = static_cast<uint64_t>(run)}, context);
  const double total = watch.wall();
  return {{"run", run},
          {"total_s", total},
          {"prefill_s", prefill},
          {"generated_tokens", tokens},
          {"tokens_per_s_with_prefill", static_cast<double>(tokens) / total},
          {"tokens_per_s_decode", static_cast<double>(tokens - before_decoding) / (total - prefill)},
          {"cpu_per_wall", watch.cpu() / total}};
}

void run(const Arguments& a) {
  const int threads = grpo::bench::set_threads(a.threads);
  const auto model = grpo::load_model(a.model);
  grpo::EngineOptions options = grpo::bench::sampler_options(a.dtype);
  options.max_slots = a.batch;
  grpo::RolloutEngine engine(*model, options);
  const grpo::bench::StepWork work{a.batch, 1, a.prompt_length, 1};
  std::vector<grpo::Prompt> prompts;
  for (auto& r : grpo::bench::random_rollouts(model->config(), work, 0)) prompts.push_back({r.group, std::move(r.prompt_ids)});

  Json summary = {{"summary", true},
                  {"batch", a.batch},
                  {"prompt_len", a.prompt_length},
                  {"new_tokens", a.new_tokens},
                  {"dtype", a.dtype},
                  {"threads", threads},
                  {"params", model->config().num_parameters()}};
  double total = 0, with_prefill = 0, decode = 0;
  for (int64_t i = 0; i <= a.repeats; ++i) {  // run 0 packs the weights
    const Json row = generate(engine, prompts, a, i);
    grpo::bench::print(row);
    if (i == 0) continue;
    total = i == 1 ? row["total_s"].get<double>() : std::min(total, row["total_s"].get<double>());
    with_prefill = std::max(with_prefill, row["tokens_per_s_with_prefill"].get<double>());
    decode = std::max(decode, row["tokens_per_s_decode"].get<double>());
  }
  summary["total_s_min"] = total;
  summary["tokens_per_s_with_prefill"] = with_prefill;
  summary["tokens_per_s_decode"] = decode;
  summary["peak_rss_mb"] = grpo::bench::peak_resident_mib();
  if (a.floor) {
    const auto limits = grpo::bench::measure_limits();
    summary["limits"] = to_json(limits);
    summary["share_of_floor"] = decode_floor(model->config(), {a.batch, 1, a.prompt_length, a.new_tokens}, limits) / total;
  }
  grpo::bench::print(summary);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("Times decoding");
  app.add_option("--model", a.model, "Model folder")->required();
  app.add_option("--batch", a.batch, "Sequences");
  app.add_option("--prompt-len", a.prompt_length, "Tokens of a prompt");
  app.add_option("--new-tokens", a.new_tokens, "Tokens of every completion");
  app.add_option("--repeats", a.repeats, "Timed runs, after one that is not")->check(CLI::PositiveNumber);
  app.add_option("--dtype", a.dtype, "Of products: float32, bfloat16 or int8; the caches of the last two are bfloat16");
  app.add_flag("--floor", a.floor, "Measure the machine's limits after the runs, and the share of the fp32 floor");
  app.add_option("--threads", a.threads, "OpenMP threads; 0 = OpenMP's default");
  CLI11_PARSE(app, argc, argv);
  return grpo::bench::run_program([&a] { run(a); });
}
