#include "run/checkpoint.h"

#include <c10/core/GradMode.h>

#include <nlohmann/json.hpp>

#include "core/file_text.h"
#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/io/dtype.h"
#include "grpo/io/json_config.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/optimizer.h"
#include "model/tensor_files.h"

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

std::string arena_name(size_t arena, const std::string& kind) { return "arena." + std::to_string(arena) + "." + kind; }

}  // namespace

void ArenaEntries::add(size_t arena, const std::string& kind, const at::Tensor& flat) {
  const at::Tensor& here = owned_.emplace_back(flat.to(at::kCPU, at::kFloat));  // flat itself where it is that already
  entries_.push_back({.name = arena_name(arena, kind),
                      .dtype = DType::kF32,
                      .shape = {here.numel()},
                      .bytes = std::as_bytes(std::span(here.const_data_ptr<float>(), static_cast<size_t>(here.numel())))});
}

void ArenaEntries::add_buffers(const Optimizer& optimizer) {
  for (const auto& buffer : optimizer.buffers()) add(buffer.arena, buffer.name, buffer.values);
}

void check_arena(const Safetensors& file, size_t arena, const std::string& kind, const at::Tensor& like) {
  const TensorEntry* entry = file.find(arena_name(arena, kind));
  GRPO_CHECK(entry != nullptr && entry->dtype == DType::kF32 && entry->numel() == like.numel(), "checkpoint",
             "expected float32 " + arena_name(arena, kind) + " of " + std::to_string(like.numel()) + " elements");
}

void read_arena(const Safetensors& file, size_t arena, const std::string& kind, const at::Tensor& to) {
  const TensorEntry& entry = *file.find(arena_name(arena, kind));
  write_floats(to, [&](float* values) { convert_to_float(entry.bytes.data(), entry.dtype, values, to.numel()); });
  file.release(entry);
}

void check_buffers(const Safetensors& file, const Optimizer& optimizer) {
  for (const auto& buffer : optimizer.buffers()) check_arena(file, buffer.arena, buffer.name, buffer.values);
}

void read_buffers(const Safetensors& file, int64_t steps_done, Optimizer& optimizer) {
  for (const auto& buffer : optimizer.buffers()) read_arena(file, buffer.arena, buffer.name, buffer.values);
  optimizer.set_steps_done(steps_done);
}

void save_trainer_state(const std::filesystem::path& folder, const TrainerState& state, const Optimizer& optimizer,
                        const DescribeState& more) {
  ArenaEntries entries;
  entries.add_buffers(optimizer);
  write_safetensors(folder / "optimizer.safetensors", entries.get());
  TrainerState copy = state;
  write_file_atomically(folder / "trainer_state.json", write_described([&](ConfigVisitor& v) {
                          describe(v, copy);
                          v.section("more", "", more);
                        }));
}

TrainerState load_checkpoint(const std::filesystem::path& folder, Transformer& model, Optimizer& optimizer, const DescribeState& more) {
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
  check_buffers(file, optimizer);
  if (model.has_adapter()) {
    load_adapter(model, folder);
  } else {
    read_weights(model, folder);
  }
  read_buffers(file, state.optimizer_steps, optimizer);
  return state;
}

}  // namespace grpo
