#include <c10/core/GradMode.h>

#include <deque>

#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/transformer.h"
#include "model/tensor_files.h"

namespace grpo {
namespace {

DType disk_dtype(const std::string& name) {
  if (name == "float32") return DType::kF32;
  if (name == "bfloat16") return DType::kBF16;
  if (name == "float16") return DType::kF16;
  fail_usage("save_model", "expected dtype float32, bfloat16 or float16; got '" + name + "'");
}

}  // namespace

void save_model(Transformer& model, const std::filesystem::path& folder, const SaveOptions& options) try {
  const c10::NoGradGuard no_grad;
  const DType dtype = disk_dtype(options.dtype);
  std::filesystem::create_directories(folder);
  std::deque<std::vector<std::byte>> converted;
  const auto entries = parameter_entries(model.named_parameters(), dtype, converted);
  write_safetensors_sharded(folder, entries, options.max_shard_bytes);
  write_file_atomically(folder / "generation_config.json", generation_config_to_json(model.config(), options.end_id));
  write_file_atomically(folder / "config.json", model_config_to_json(model.config(), options.dtype));
} catch (...) {
  rethrow_as_error("save_model");
}

}  // namespace grpo
