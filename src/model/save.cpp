#include <c10/core/GradMode.h>

#include <deque>

#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"

namespace grpo {
namespace {

DType disk_dtype(const std::string& name) {
  if (name == "float32") return DType::kF32;
  if (name == "bfloat16") return DType::kBF16;
  if (name == "float16") return DType::kF16;
  fail_usage("save_model", "expected dtype float32, bfloat16 or float16; got '" + name + "'");
}

}  // namespace

void save_model(Transformer& model, const std::filesystem::path& folder, const SaveOptions& options) {
  const c10::NoGradGuard no_grad;
  const DType dtype = disk_dtype(options.dtype);
  std::filesystem::create_directories(folder);
  std::vector<TensorEntry> entries;
  std::deque<at::Tensor> fetched;  // own what is not stored as it lies in the arenas
  std::deque<std::vector<std::byte>> converted;
  for (const auto& parameter : model.named_parameters()) {
    TensorEntry entry{.name = parameter.name, .dtype = dtype, .shape = parameter.value.sizes().vec(), .bytes = {}};
    const auto* values = fetched.emplace_back(parameter.value.to(at::kCPU, at::kFloat)).const_data_ptr<float>();
    const auto count = static_cast<size_t>(parameter.value.numel());
    if (dtype == DType::kF32) {
      entry.bytes = std::as_bytes(std::span(values, count));
    } else {
      converted.emplace_back(count * static_cast<size_t>(size_of(dtype)));
      convert_from_float(values, dtype, converted.back().data(), static_cast<int64_t>(count));
      entry.bytes = converted.back();
    }
    entries.push_back(std::move(entry));
  }
  write_safetensors_sharded(folder, entries, options.max_shard_bytes);
  write_file_atomically(folder / "generation_config.json", generation_config_to_json(model.config()));
  write_file_atomically(folder / "config.json", model_config_to_json(model.config(), options.dtype));
}

}  // namespace grpo
