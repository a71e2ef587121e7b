#include <nlohmann/json.hpp>
#include <string>

#include "cli/choice.h"
#include "cli/commands.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/policy/policy.h"
#include "grpo/rollout/engine.h"

namespace grpo::cli {
namespace {

void add_model_and_device(CLI::App& command, ModelSection& model) {
  using Device = ModelSection::Device;
  command.add_option("--model", model.path, "A Hugging Face folder or a .gguf file")->required()->type_name("PATH");
  add_choice<Device>(command, "--device", model.device, {{"auto", Device::kAuto}, {"cpu", Device::kCpu}, {"cuda", Device::kCuda}},
                     "Where it computes; auto = a GPU where there is one and the build has CUDA");
}

}  // namespace

void add_model_options(CLI::App& command, ModelSection& model) {
  using Type = ModelSection::ComputeDType;
  add_model_and_device(command, model);
  add_choice<Type>(command, "--compute-dtype", model.compute_dtype,
                   {{"auto", Type::kAuto}, {"float32", Type::kFloat32}, {"bfloat16", Type::kBFloat16}},
                   "What it computes in; auto = float32 on the CPU, bfloat16 on CUDA");
}

void add_sampled_model_options(CLI::App& command, SampledModel& model) {
  using Type = SampledModel::Type;
  add_model_and_device(command, model.section);
  add_choice<Type>(command, "--dtype", model.dtype,
                   {{"auto", Type::kAuto}, {"float32", Type::kFloat32}, {"bfloat16", Type::kBFloat16}, {"int8", Type::kInt8}},
                   "What it samples in: bfloat16 and int8 round, and are two to three times as fast on a CPU; auto = float32 on the CPU, "
                   "bfloat16 on CUDA; int8 is for the CPU");
}

Policy load_sampled_policy(const SampledModel& model, const Registry& registry) {
  using Type = SampledModel::Type;
  ModelSection section = model.section;
  if (model.dtype == Type::kFloat32) section.compute_dtype = ModelSection::ComputeDType::kFloat32;
  if (model.dtype == Type::kBFloat16 && device_of(section).is_cuda()) section.compute_dtype = ModelSection::ComputeDType::kBFloat16;
  return load_policy(section, 0, registry.families);
}

EngineOptions engine_options(const SampledModel& model) {
  using Type = SampledModel::Type;
  EngineOptions options;
  if (model.dtype == Type::kInt8) options.compute_dtype = ComputeDType::kInt8;
  if (model.dtype == Type::kBFloat16 && device_of(model.section).is_cpu()) options.compute_dtype = ComputeDType::kBFloat16;
  return options;
}

void add_chat_template_kwargs(CLI::App& command, NamedOptions& variables) {
  const auto read = [&variables](const std::string& text) {
    const auto object = try_parse_json<nlohmann::ordered_json>(text);
    if (!object.is_object()) fail_usage("--chat-template-kwargs", "expected a JSON object; got " + text);
    for (const auto& [name, value] : object.items()) variables.emplace_back(name, to_text(value));
  };
  command
      .add_option_function<std::string>("--chat-template-kwargs", read,
                                        "Further variables of the chat template, such as {\"enable_thinking\": false}")
      ->type_name("JSON");
}

}  // namespace grpo::cli
