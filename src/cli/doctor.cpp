#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/rand_like.h>
#include <ATen/ops/sum.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>
#include <omp.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/lines.h"
#include "cli/machine.h"
#include "dispatch.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/rollout/engine.h"
#include "grpo/version.h"
#include "ops/ops.h"
#include "run/disk_plan.h"

namespace grpo::cli {
namespace {

namespace fs = std::filesystem;

/// One line of the answer.
struct Check {
  enum class State { kGood, kNote, kBad };  // kBad: grpo cannot be used so
  std::string name, found;
  std::string advice = {};  // what to do if it is not good
  State state = State::kGood;
  Row figures = Row::object();  // for --json

  void note(std::string what) { state = State::kNote, advice = std::move(what); }
  void fault(std::string what) { state = State::kBad, advice = std::move(what); }
};

template <class... Values>
std::string printed(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

Check check_processor(const Machine& machine) {
  std::string tables;
  for (const auto& table : kernels::available_cpu_kernels()) tables += (tables.empty() ? "" : ", ") + std::string(table.isa);
  const std::string used(kernels::cpu_kernels().isa);
  Check check{.name = "processor", .found = (machine.processor.empty() ? "of unknown name" : machine.processor) + "; kernels " + used};
  if (tables != used) check.found += " (it can run " + tables + ")";
  if (used == "scalar") check.note("it has no AVX2: everything works, ten times slower; use a processor of 2013 or later");
  check.figures = {{"processor", machine.processor}, {"kernels", used}};
  return check;
}

Check check_threads(const Machine& machine) {
  const int threads = omp_get_max_threads();
  const double most = std::min<double>(machine.processors, machine.cpu_quota.value_or(machine.processors));
  Check check{.name = "threads", .found = printed("%d on %d processors, load %.1f", threads, machine.processors, machine.load)};
  check.found +=
      machine.cpu_quota ? printed("; the control group gives %.1f of them", *machine.cpu_quota) : "; no limit by a control group";
  const int fitting = std::max(1, static_cast<int>(std::floor(most + 0.01)));
  if (threads > most + 0.01) {
    check.note(printed("more threads than processors wait for each other: set OMP_NUM_THREADS=%d", fitting));
  } else if (threads < fitting) {
    check.note(printed("fewer threads than processors: unset OMP_NUM_THREADS or set it to %d", fitting));
  } else if (machine.load > machine.processors + 0.5) {
    check.note("other programs want the processors too: what is measured below is too slow, and so will be a run");
  }
  check.figures = {{"threads", threads}, {"processors", machine.processors}, {"cpu_quota", nullptr}, {"load", machine.load}};
  if (machine.cpu_quota) check.figures["cpu_quota"] = *machine.cpu_quota;
  return check;
}

Check check_memory(const Machine& machine) {
  Check check{.name = "memory", .found = size_text(machine.memory_available) + " can be had of " + size_text(machine.memory)};
  if (machine.memory_limit) check.found += "; the control group allows " + size_text(*machine.memory_limit);
  if (machine.memory_available < double{1 << 30})
    check.note("end other programs, or raise the control group's limit: small models need about 1 GiB");
  check.figures = {{"memory", machine.memory}, {"memory_available", machine.memory_available}, {"memory_limit", nullptr}};
  if (machine.memory_limit) check.figures["memory_limit"] = *machine.memory_limit;
  return check;
}

/// The file that torch's code came from.
std::string torch_file() {
  Dl_info info{};
  const auto* symbol = reinterpret_cast<const void*>(&at::get_num_threads);
  return ::dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

/// As the Python package beside the library says; empty where there is none.
std::string torch_package_version(const fs::path& library) {
  std::ifstream in(library.parent_path().parent_path() / "version.py");
  for (std::string line; std::getline(in, line);) {
    const size_t begin = line.find('\''), end = line.rfind('\'');
    if (line.starts_with("__version__") && end > begin) return line.substr(begin + 1, end - begin - 1);
  }
  return {};
}

Check check_torch() {
  const std::string file = torch_file(), version = torch_package_version(file);
  Check check{.name = "torch", .found = (version.empty() ? "of unknown version" : version) + ", from " + file};
  const std::string built = GRPO_TORCH_VERSION;
  const auto minor = [](const std::string& text) { return text.substr(0, text.find('.', text.find('.') + 1)); };
  if (!version.empty() && minor(version) != minor(built))
    check.note("grpo was built with " + built + ": use that one (pip install torch==" + built + "), or build grpo anew");
  check.figures = {{"torch", version}, {"built_with", built}, {"file", file}};
  return check;
}

Check check_gpu(const Machine& machine) {
  Check check{.name = "gpu", .found = "none"};
  for (size_t i = 0; i < machine.gpus.size(); ++i) check.found = (i > 0 ? check.found + ", " : "") + machine.gpus[i];
  check.found += machine.driver.empty() ? "; no NVIDIA driver" : "; driver " + machine.driver;
  check.found += ops::has_cuda() ? "; used by default" : "; the CPU is used";
  if (!ops::has_cuda() && !machine.gpus.empty())
    check.note("this build computes on the CPU, or CUDA finds no GPU: build with cmake --preset cuda, or look at CUDA_VISIBLE_DEVICES");
  check.figures = {{"gpus", machine.gpus}, {"driver", machine.driver}, {"devices", ops::device_names()}};
  return check;
}

Check check_disk() {
  const auto free = free_bytes(".");
  Check check{.name = "disk", .found = free ? size_text(*free) + " are free in this folder" : "what is free here is not known"};
  if (free && *free < double{1 << 30}) check.note("a checkpoint takes 16 bytes a parameter: name another trainer.output_dir, or make room");
  if (free) check.figures = {{"free", *free}};
  return check;
}

/// What a model takes, in bytes, at most.
struct Needs {
  double sampling = 0.0, training = 0.0;
};

/// Weights of 4 bytes, which the sampler packs again; gradients and two moments beside them in training; and what the config's defaults
/// allow for keys and values (while sampling) or activations (while training).
Needs needs_of(double parameters) {
  const double cache = RolloutSection().kv_cache_gib * std::exp2(30), activations = TrainerSection().activation_gib * std::exp2(30);
  return {.sampling = 8.0 * parameters + cache, .training = 16.0 * parameters + std::max(4.0 * parameters + cache, activations)};
}

Check check_fit(const ModelConfig& config, const Machine& machine) {
  const auto parameters = static_cast<double>(config.num_parameters());
  const Needs needs = needs_of(parameters);
  Check check{.name = "model",
              .found = printed("%.0f million parameters; sampling takes up to ", parameters / 1e6) + size_text(needs.sampling) +
                       ", training up to " + size_text(needs.training)};
  const double free = machine.memory_available, least = 8.0 * parameters;
  if (free < least) {
    check.fault("it does not fit: its weights alone take " + size_text(least) + ", and " + size_text(free) +
                " can be had; take a smaller model");
  } else if (free < needs.sampling) {
    check.note("sampling fits with less room for keys and values only: lower rollout.kv_cache_gib and max_completion_length");
  } else if (free < needs.training) {
    check.note(
        "training may not fit: use LoRA (model.lora.rank=16), a lower rollout.kv_cache_gib or trainer.activation_gib, or a smaller model");
  }
  check.figures = {{"parameters", config.num_parameters()}, {"sampling", needs.sampling}, {"training", needs.training}};
  return check;
}

Check check_room(const Machine& machine) {
  const double beside = needs_of(0.0).sampling, each = needs_of(1.0).training - needs_of(0.0).training;
  const double most = std::max(0.0, machine.memory_available - beside) / each / 1e6;
  return {.name = "model",
          .found = printed("none was named (--model PATH); memory is enough to train about %.0f million parameters", most)};
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

constexpr double kMeasured = 1.5;  // seconds, of each

/// Operations of a float32 matrix product in a second.
double product_speed(at::Device device) {
  constexpr int64_t kSize = 1024;
  const at::Tensor a = at::rand({kSize, kSize}, at::TensorOptions().device(device)), b = at::rand_like(a);
  at::mm(a, b).sum().item<float>();  // not counted: the first one makes threads
  const auto begin = Clock::now();
  double products = 0.0;
  for (; seconds_since(begin) < kMeasured; ++products) at::mm(a, b).sum().item<float>();
  return 2.0 * std::pow(kSize, 3.0) * products / seconds_since(begin);
}

/// Tokens that are sampled in a second, of `samples` completions at a time.
double sampling_speed(RolloutEngine& engine, int64_t samples) {
  SamplingParams params;
  params.num_generations = samples;
  params.ignore_eos = true;
  const Prompt prompt{0, {1, 2, 3, 4}};
  params.max_completion_length = 256;
  std::optional<Clock::time_point> begin;  // after the first step, which packs weights
  int64_t before = 0, earlier = 0, tokens = 0;
  GenerateContext context;
  context.on_progress = [&](int64_t done, int64_t) {
    tokens = earlier + done;
    if (!begin) begin = Clock::now(), before = done;
  };
  const auto over = [&] { return begin && seconds_since(*begin) > kMeasured; };
  context.interrupted = over;
  for (; !over(); earlier = tokens) engine.generate({&prompt, 1}, params, {}, context);
  return static_cast<double>(tokens - before) / seconds_since(*begin);
}

/// Something to measure with where no model was named: small, of the usual form.
std::shared_ptr<Transformer> stand_in() {
  const NewModelConfig form{.hidden_size = 576,
                            .intermediate_size = 1536,
                            .num_hidden_layers = 10,
                            .num_attention_heads = 9,
                            .num_key_value_heads = 3,
                            .max_position_embeddings = 8192,
                            .extra_tokens = {}};
  return load_policy({.path = {}, .tokenizer = {}, .new_model = form}, 0).model;
}

Check measure_products(at::Device device, double parameters, bool named) {
  const double speed = product_speed(device);
  Check check{.name = "products", .found = printed("%.0f GFLOP/s in float32", speed / 1e9)};
  const double tokens = speed / (6.0 * parameters);
  if (named) check.found += printed(": training will take in about %.0f tokens/s", tokens);
  if (device.is_cpu() && speed / omp_get_max_threads() < 5e9)
    check.note("that is little for a thread: look whether other programs run, and at the power plan or the virtual machine's share");
  check.figures = {{"flops", speed}};
  if (named) check.figures["training_tokens_per_second"] = tokens;
  return check;
}

Check measure_sampling(RolloutEngine& engine, double parameters, bool named) {
  constexpr int64_t kTogether = 16;
  const double one = sampling_speed(engine, 1), many = sampling_speed(engine, kTogether);
  Check check{.name = "sampling",
              .found = printed("%.0f tokens/s of one text, %.0f of %d texts at a time", one, many, static_cast<int>(kTogether))};
  check.found +=
      named ? " (float32; --dtype bfloat16 or int8 may be faster)" : printed(" (float32, with %.0f million parameters)", parameters / 1e6);
  check.figures = {{"tokens_per_second", one}, {"tokens_per_second_of_16", many}};
  return check;
}

const char* word_of(Check::State state) { return state == Check::State::kGood ? "ok" : state == Check::State::kNote ? "note" : "bad"; }

/// Shows checks as they come, or keeps them for one JSON object.
class Findings {
 public:
  explicit Findings(bool json) : json_(json) {}

  void add(const Check& check) {
    bad_ += check.state == Check::State::kBad ? 1 : 0;
    if (json_) {
      Row row = {{"check", check.name}, {"state", word_of(check.state)}, {"found", check.found}};
      if (!check.advice.empty()) row["advice"] = check.advice;
      row.update(check.figures);
      rows_.push_back(std::move(row));
      return;
    }
    std::cout << printed("%-5s %-10s ", word_of(check.state), check.name.c_str()) << check.found << std::endl;
    if (!check.advice.empty()) std::cout << "                 -> " << check.advice << std::endl;
  }
  void finish() const {
    if (json_) std::cout << to_printable_text(Row{{"usable", bad_ == 0}, {"checks", rows_}}) << std::endl;
    GRPO_CHECK(bad_ == 0, "doctor", "expected a machine that can be used so; got one that cannot, see the lines called bad");
  }

 private:
  bool json_;
  int bad_ = 0;
  std::vector<Row> rows_;
};

void diagnose(const ModelSection& section, bool json) {
  const c10::NoGradGuard no_grad;
  const bool named = !section.path.empty();
  std::optional<ModelConfig> config;
  if (named) config = model_config_at(section.path);
  const Machine machine = read_machine();
  Findings findings(json);
  findings.add({.name = "grpo", .found = std::string(version())});
  for (const Check& check :
       {check_processor(machine), check_threads(machine), check_memory(machine), check_torch(), check_gpu(machine), check_disk()})
    findings.add(check);
  const Check fit = config ? check_fit(*config, machine) : check_room(machine);
  findings.add(fit);
  if (fit.state != Check::State::kBad) {
    const std::shared_ptr<Transformer> model = named ? load_weights(section) : stand_in();
    const auto parameters = static_cast<double>(model->config().num_parameters());
    findings.add(measure_products(model->device(), parameters, named));
    RolloutEngine engine(*model);
    findings.add(measure_sampling(engine, parameters, named));
  }
  findings.finish();
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto* sub =
      app.add_subcommand("doctor", "What this machine gives grpo, whether a model fits, and how fast it will be: measured in five seconds");
  auto model = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  sub->add_option("--model", *model, "A Hugging Face folder or a .gguf file to look at")->type_name("PATH");
  sub->add_flag("--json", *json, "One JSON object with all figures (bytes, tokens and operations a second)");
  sub->callback([model, json] {
    ModelSection section;
    section.path = *model;
    diagnose(section, *json);
  });
}

}  // namespace grpo::cli
