#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "core/json.h"
#include "grpo/core/error.h"

namespace grpo::cli {

void add_model_options(CLI::App& command, ModelSection& model) {
  using Device = ModelSection::Device;
  using ComputeDType = ModelSection::ComputeDType;
  static const std::map<std::string, Device> devices = {{"auto", Device::kAuto}, {"cpu", Device::kCpu}, {"cuda", Device::kCuda}};
  static const std::map<std::string, ComputeDType> types = {
      {"auto", ComputeDType::kAuto}, {"float32", ComputeDType::kFloat32}, {"bfloat16", ComputeDType::kBFloat16}};
  command.add_option("--model", model.path, "A Hugging Face folder or a .gguf file")->required();
  command.add_option("--device", model.device, "auto, cpu or cuda; auto = a GPU where there is one and the build has CUDA")
      ->transform(CLI::CheckedTransformer(devices));
  command.add_option("--compute-dtype", model.compute_dtype, "auto, float32 or bfloat16; auto = float32 on the CPU, bfloat16 on CUDA")
      ->transform(CLI::CheckedTransformer(types));
}

void add_chat_template_kwargs(CLI::App& command, NamedOptions& variables) {
  const auto read = [&variables](const std::string& text) {
    const auto object = try_parse_json<nlohmann::ordered_json>(text);
    if (!object.is_object()) fail_usage("--chat-template-kwargs", "expected a JSON object; got " + text);
    for (const auto& [name, value] : object.items()) variables.emplace_back(name, to_text(value));
  };
  command.add_option_function<std::string>("--chat-template-kwargs", read,
                                           "Further variables of the chat template, such as {\"enable_thinking\": false}");
}

}  // namespace grpo::cli
