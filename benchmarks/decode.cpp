// Throughput of the rollout engine on a model folder, every sequence with a prompt of its own: the work and the fields of hf_generate.py.
// One line of JSON a run, then a summary.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
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

struct Call {
  double seconds;
  int64_t tokens;
};

Call generate(grpo::RolloutEngine& engine, const std::vector<grpo::Prompt>& prompts, int64_t new_tokens, int64_t run) {
  grpo::SamplingParams params;
  params.num_generations = 1;
  params.max_completion_length = new_tokens;
  params.ignore_eos = true;
  const grpo::bench::Stopwatch watch;
  Call call{};
  for (const auto& rollout : engine.generate(prompts, params, {.seed = 0, .step = static_cast<uint64_t>(run)}, {})) {
    call.tokens += static_cast<int64_t>(rollout.ids.size());
  }
  call.seconds = watch.wall();
  return call;
}

/// `prefill_s` is what a call for one token each takes: sequences need not all run at the same time.
Json measure(grpo::RolloutEngine& engine, const std::vector<grpo::Prompt>& prompts, int64_t new_tokens, int64_t run) {
  const grpo::bench::Stopwatch watch;
  const Call prefill = generate(engine, prompts, 1, run);
  const Call all = generate(engine, prompts, new_tokens, run);
  return {{"run", run},
          {"total_s", all.seconds},
          {"prefill_s", prefill.seconds},
          {"generated_tokens", all.tokens},
          {"cpu_per_wall", watch.cpu() / watch.wall()}};
}

void run(const Arguments& a) {
  const int threads = grpo::bench::set_threads(a.threads);
  const auto model = grpo::load_model(a.model);
  grpo::RolloutEngine engine(*model, grpo::bench::sampler_options(a.dtype));
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
  double total = std::numeric_limits<double>::infinity(), prefill = total;
  for (int64_t i = 0; i <= a.repeats; ++i) {  // run 0 packs the weights
    const Json row = measure(engine, prompts, a.new_tokens, i);
    grpo::bench::print(row);
    if (i == 0) continue;
    total = std::min(total, row["total_s"].get<double>());
    prefill = std::min(prefill, row["prefill_s"].get<double>());
  }
  const auto tokens = static_cast<double>(a.batch * a.new_tokens), first_tokens = static_cast<double>(a.batch);
  summary["total_s_min"] = total;
  summary["prefill_s_min"] = prefill;
  summary["tokens_per_s_with_prefill"] = tokens / total;
  summary["tokens_per_s_decode"] = (tokens - first_tokens) / (total - prefill);
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
