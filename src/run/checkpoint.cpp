#include "run/checkpoint.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <nlohmann/json.hpp>

#include "core/file_text.h"
#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/io/json_config.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"

namespace grpo {

namespace {

/// One description serves writing and reading, so that no field can be saved and not restored.
void describe(ConfigVisitor& v, TrainerState& s) {
  const auto bytes = [&v](const char* name, uint64_t& value) {
    auto number = static_cast<int64_t>(value);
    v.field(name, number, "");
    value = static_cast<uint64_t>(number);
  };
  v.field("steps_done", s.steps_done, "");
  v.field("total_steps", s.total_steps, "");
  v.field("rollouts_done", s.rollouts_done, "");
  v.field("items_taken", s.items_taken, "");
  v.field("optimizer_steps", s.optimizer_steps, "");
  v.field("evaluated_step", s.evaluated_step, "");
  v.field("train_seconds", s.train_seconds, "");
  v.field("tokens_seen", s.tokens_seen, "");
  bytes("metrics_bytes", s.logs.metrics);
  bytes("completions_bytes", s.logs.completions);
  v.list(
      "pending_metrics", "", s.pending_metrics.size(), [&s](size_t n) { s.pending_metrics.resize(n); },
      [&s](ConfigVisitor& element, size_t i) {
        PendingFigure& figure = s.pending_metrics[i];
        element.field("name", figure.name, "");
        element.field("sum", figure.sum, "");
        element.field("count", figure.count, "");
      });
  v.field("pending_completions", s.pending_completions, "");
}

constexpr std::pair<const char*, at::Tensor AdamW::Moments::*> kMoments[] = {
    {"exp_avg", &AdamW::Moments::exp_avg}, {"exp_avg_sq", &AdamW::Moments::exp_avg_sq}, {"master", &AdamW::Moments::masters}};

/// Weights keep their values until those of the folder were read and checked.
void load_weights(const std::filesystem::path& folder, Transformer& model) {
  const auto saved = load_model(folder);
  const auto source_arenas = saved->parameters(), arenas = model.parameters();
  GRPO_CHECK(source_arenas.size() == arenas.size(), "checkpoint", "expected a model of the same shape in " + folder.string());
  for (size_t i = 0; i < arenas.size(); ++i) {
    GRPO_CHECK(source_arenas[i]->numel() == arenas[i]->numel(), "checkpoint", "expected a model of the same shape in " + folder.string());
  }
  for (size_t i = 0; i < arenas.size(); ++i) at::Tensor(arenas[i]->flat()).copy_(source_arenas[i]->flat());
}

}  // namespace

void ArenaEntries::add(size_t arena, const std::string& kind, const at::Tensor& flat) {
  const at::Tensor& here = owned_.emplace_back(flat.to(at::kCPU, at::kFloat));  // flat itself where it is that already
  entries_.push_back({.name = "arena." + std::to_string(arena) + "." + kind,
                      .dtype = DType::kF32,
                      .shape = {here.numel()},
                      .bytes = std::as_bytes(std::span(here.const_data_ptr<float>(), static_cast<size_t>(here.numel())))});
}

void ArenaEntries::add_moments(const AdamW& optimizer) {
  for (size_t i = 0; i < optimizer.moments().size(); ++i) {
    for (const auto& [kind, member] : kMoments) {
      const at::Tensor& moment = optimizer.moments()[i].*member;
      if (moment.defined()) add(i, kind, moment);
    }
  }
}

at::Tensor read_arena(const Safetensors& file, size_t arena, const std::string& kind, const at::Tensor& like) {
  const std::string name = "arena." + std::to_string(arena) + "." + kind;
  const TensorEntry* entry = file.find(name);
  GRPO_CHECK(entry != nullptr && entry->dtype == DType::kF32 && entry->numel() == like.numel(), "checkpoint",
             "expected float32 " + name + " of " + std::to_string(like.numel()) + " elements");
  at::Tensor tensor = at::empty(like.sizes(), at::kFloat);
  convert_to_float(entry->bytes.data(), entry->dtype, tensor.data_ptr<float>(), tensor.numel());
  return tensor;
}

std::vector<AdamW::Moments> read_moments(const Safetensors& file, const AdamW& optimizer) {
  std::vector<AdamW::Moments> moments;
  for (size_t i = 0; i < optimizer.moments().size(); ++i) {
    AdamW::Moments& read = moments.emplace_back();
    for (const auto& [kind, member] : kMoments) {
      const at::Tensor& like = optimizer.moments()[i].*member;
      if (like.defined()) read.*member = read_arena(file, i, kind, like);
    }
  }
  return moments;
}

void save_trainer_state(const std::filesystem::path& folder, const TrainerState& state, const AdamW& optimizer, const DescribeState& more) {
  ArenaEntries entries;
  entries.add_moments(optimizer);
  write_safetensors(folder / "optimizer.safetensors", entries.get());
  TrainerState copy = state;
  write_file_atomically(folder / "trainer_state.json", write_described([&](ConfigVisitor& v) {
                          describe(v, copy);
                          v.section("more", "", more);
                        }));
}

TrainerState load_checkpoint(const std::filesystem::path& folder, Transformer& model, AdamW& optimizer, const DescribeState& more) {
  const c10::NoGradGuard no_grad;
  ConfigSource source;
  const auto path = folder / "trainer_state.json";
  source.add_text(file_text(path, "checkpoint"), path.string(), folder);  // pass rates of many problems exceed what a config may hold
  TrainerState state;
  read_described(source, [&](ConfigVisitor& v) {
    describe(v, state);
    v.section("more", "", more);
  });

  const bool adapters = std::filesystem::exists(folder / "adapter_config.json");
  GRPO_CHECK(
      adapters == model.has_adapter(), "resume",
      folder.string() + (adapters ? " holds low-rank adapters, and the config asks for none: set model.lora as it was in the run"
                                  : " holds whole weights, and the config asks for low-rank adapters: leave model.lora out as in the run"));
  const auto file = Safetensors::open(folder / "optimizer.safetensors");
  const auto moments = read_moments(file, optimizer);
  if (model.has_adapter()) {
    load_adapter(model, folder);
  } else {
    load_weights(folder, model);
  }
  optimizer.restore(state.optimizer_steps, moments);
  return state;
}

}  // namespace grpo
