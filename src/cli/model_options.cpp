#include <map>
#include <string>

#include "cli/commands.h"

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

}  // namespace grpo::cli
