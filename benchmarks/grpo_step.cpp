// The GRPO trainer's whole step on a model folder: sample, decode, score, log, update. One line of JSON a step, then a summary whose fields
// are those of trl_grpo_step.py. Every completion has exactly the maximum length.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/grpo.h"
#include "grpo/model/transformer.h"
#include "support/digits.h"
#include "support/measure.h"
#include "support/work.h"

namespace {

using grpo::bench::Json;
namespace fs = std::filesystem;

struct Arguments {
  std::string model, prompts, compute_dtype = "float32", rollout_dtype;
  int64_t prompts_per_step = 16, num_generations = 8, max_completion_length = 64, steps = 6, warmup = 1, max_tokens = 0;
  double learning_rate = 1e-4;
  int threads = 0;
  bool floor = false;
};

/// A folder that is gone when the program ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "grpo_step_XXXXXX").string();
    GRPO_CHECK(mkdtemp(name.data()) != nullptr, "grpo_step", "cannot make a folder in " + fs::temp_directory_path().string());
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

grpo::Config make_config(const Arguments& a, const std::string& folder) {
  grpo::Config c;
  c.model.path = a.model;
  c.data.train.path = a.prompts;
  c.data.train.fields.question = "prompt";
  c.data.prompt.prompt_template = "{question}";
  c.data.shuffle_dataset = false;
  c.reward = {{.name = "digits", .function = {}, .weight = 1.0, .options = {}}};
  c.rollout.sampling.num_generations = a.num_generations;
  c.rollout.sampling.max_completion_length = a.max_completion_length;
  c.rollout.sampling.ignore_eos = true;
  using Training = grpo::ModelSection::ComputeDType;
  c.model.compute_dtype =
      grpo::bench::type_named<Training>(a.compute_dtype, {{"float32", Training::kFloat32}, {"bfloat16", Training::kBFloat16}});
  const auto sampler = grpo::bench::sampler_options(a.rollout_dtype.empty() ? a.compute_dtype : a.rollout_dtype);
  c.rollout.compute_dtype = sampler.compute_dtype;
  c.rollout.kv_dtype = sampler.kv_dtype;
  c.algorithm.generation_batch_size = a.prompts_per_step * a.num_generations;
  c.optim.learning_rate = a.learning_rate;
  c.optim.lr_scheduler_type = "constant";
  c.trainer.max_steps = a.steps;
  if (a.max_tokens > 0) c.trainer.max_tokens = a.max_tokens;
  c.trainer.output_dir = folder + "/run";
  return c;
}

/// Times steps from the end of the one before, so that logging counts.
class StepClock {
 public:
  void start() {
    age_ = grpo::bench::process_age();
    watch_ = {};
  }
  void step(const grpo::TrainReport& report) {
    const auto metric = [&report](const char* name) { return report.metrics.at(name); };
    rows_.push_back({{"step", report.step},
                     {"step_time_s", watch_.wall()},
                     {"generated_tokens", metric("tokens/generated")},
                     {"trained_tokens", metric("tokens/trained")},
                     {"generation_s", metric("time/generate")},
                     {"reward_s", metric("time/reward")},
                     {"update_s", metric("time/update")},
                     {"other_s", watch_.wall() - metric("step_time")},
                     {"reward_mean", metric("reward")},
                     {"grad_norm", metric("grad_norm")},
                     {"logp_difference_mean", metric("sampling/sampling_logp_difference/mean")},
                     {"logp_difference_max", metric("sampling/sampling_logp_difference/max")},
                     {"cpu_per_wall", watch_.cpu() / watch_.wall()},
                     {"cpu_s", watch_.cpu()},
                     {"peak_rss_mb", grpo::bench::peak_resident_mib()}});
    grpo::bench::print(rows_.back());
    watch_ = {};
  }

  Json summary(int64_t warmup) const {
    const auto skip = std::min<size_t>(static_cast<size_t>(warmup), rows_.size() - 1);
    const auto least = [&](const char* key) {
      double value = rows_.back()[key];
      for (size_t i = skip; i < rows_.size(); ++i) value = std::min(value, rows_[i][key].get<double>());
      return value;
    };
    const auto greatest = [&](const char* key) {
      double value = 0.0;
      for (const Json& row : rows_) value = std::max(value, row[key].get<double>());
      return value;
    };
    std::vector<double> times;
    for (size_t i = skip; i < rows_.size(); ++i) times.push_back(rows_[i]["step_time_s"]);
    std::sort(times.begin(), times.end());
    return {{"summary", true},
            {"steps_used", times.size()},
            {"step_s_median", (times[times.size() / 2] + times[(times.size() - 1) / 2]) / 2},
            {"step_s_min", times.front()},
            {"step_s_max", times.back()},
            {"generation_s_min", least("generation_s")},
            {"update_s_min", least("update_s")},
            {"tokens_per_s_step_best", rows_.back()["generated_tokens"].get<double>() / times.front()},
            {"peak_rss_mb", rows_.back()["peak_rss_mb"]},
            {"logp_difference_mean", greatest("logp_difference_mean")},
            {"logp_difference_max", greatest("logp_difference_max")},
            {"startup_process_to_first_step_s", age_}};
  }

 private:
  grpo::bench::Stopwatch watch_;
  std::vector<Json> rows_;
  double age_ = 0;
};

void add_floor(Json& summary, const grpo::ModelConfig& model, const grpo::bench::StepWork& work) {
  const auto limits = grpo::bench::measure_limits();
  const double decode = decode_floor(model, work, limits), train = train_floor(model, work, limits);
  summary["limits"] = to_json(limits);
  summary["decode_floor_s"] = decode;
  summary["train_floor_s"] = train;
  summary["share_of_floor"] = (decode + train) / summary["step_s_min"].get<double>();
}

void run(const Arguments& a) {
  const int threads = grpo::bench::set_threads(a.threads);
  const TemporaryFolder folder;
  auto registry = grpo::builtin_registry();
  registry.add_reward("digits", [](const grpo::Completion& c) { return grpo::bench::digit_fraction(c.text); });
  grpo::PolicyTrainer trainer(make_config(a, folder.path()), {}, registry);
  StepClock clock;
  trainer.on_step([&clock](const grpo::TrainReport& report) { clock.step(report); });
  clock.start();
  GRPO_CHECK(trainer.train(), "grpo_step", "interrupted");

  Json summary = clock.summary(a.warmup);
  const grpo::ModelConfig& model = trainer.model().config();
  summary["params"] = model.num_parameters();
  summary["prompts_per_step"] = a.prompts_per_step;
  summary["num_generations"] = a.num_generations;
  summary["max_completion_length"] = a.max_completion_length;
  summary["threads"] = threads;
  summary["compute_dtype"] = trainer.model().compute().dtype == at::kFloat ? "float32" : "bfloat16";
  summary["rollout_dtype"] = a.rollout_dtype.empty() ? a.compute_dtype : a.rollout_dtype;
  if (a.floor) {
    const auto problems = grpo::load_problems(a.prompts, {.question = "prompt"});
    const auto prompt_length = static_cast<int64_t>(trainer.tokenizer().encode(problems.front().question).size());
    add_floor(summary, model, {a.prompts_per_step, a.num_generations, prompt_length, a.max_completion_length});
  }
  grpo::bench::print(summary);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("Times the GRPO trainer's step");
  app.add_option("--model", a.model, "Model folder with its tokenizer")->required();
  app.add_option("--prompts", a.prompts, "JSON lines with prompt and answer")->required();
  app.add_option("--prompts-per-step", a.prompts_per_step, "Prompts of a step");
  app.add_option("--num-generations", a.num_generations, "Completions of a prompt");
  app.add_option("--max-completion-length", a.max_completion_length, "Tokens of every completion");
  app.add_option("--steps", a.steps, "Optimiser steps");
  app.add_option("--warmup", a.warmup, "First steps that the summary leaves out");
  app.add_option("--max-tokens", a.max_tokens, "Rows of a micro-batch; 0 = the trainer's default");
  app.add_option("--compute-dtype", a.compute_dtype, "Of training's products: float32 or bfloat16");
  app.add_option("--rollout-dtype", a.rollout_dtype, "Of the sampler: float32, bfloat16 or int8; the caches of the last two are bfloat16");
  app.add_option("--lr", a.learning_rate, "Learning rate, constant");
  app.add_option("--threads", a.threads, "OpenMP threads; 0 = OpenMP's default");
  app.add_flag("--floor", a.floor, "Measure the machine's limits after the steps, and the share of the floor");
  CLI11_PARSE(app, argc, argv);
  return grpo::bench::run_program([&a] { run(a); });
}
