#include "model/tensor_files.h"

#include <ATen/ops/empty.h>

#include <set>
#include <span>

#include "grpo/core/error.h"
#include "grpo/io/dtype.h"

namespace grpo {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

void write_floats(const at::Tensor& parameter, const std::function<void(float*)>& write) {
  const bool direct = parameter.is_cpu() && parameter.scalar_type() == at::kFloat;
  const at::Tensor values = direct ? parameter : at::empty(parameter.sizes(), at::kFloat);
  write(values.mutable_data_ptr<float>());
  if (direct) {
    parameter.unsafeGetTensorImpl()->bump_version();  // torch did not see the writing
  } else {
    parameter.copy_(values);
  }
}

void read_parameters(const Safetensors& file, const std::vector<NamedParameter>& parameters,
                     const std::function<bool(const std::string&)>& ignored, Faults& faults) {
  std::set<std::string> unused;
  for (const auto& t : file.tensors()) unused.insert(t.name);
  bool good = true;
  const auto fault = [&](const std::string& what) {
    faults.add(what);
    good = false;
  };
  for (const auto& parameter : parameters) {
    unused.erase(parameter.name);
    const TensorEntry* entry = file.find(parameter.name);
    if (entry == nullptr) {
      fault("missing " + parameter.name);
    } else if (entry->shape != parameter.value.sizes().vec()) {
      fault("expected " + parameter.name + " of shape " + shape_text(parameter.value.sizes().vec()) + ", got " + shape_text(entry->shape));
    }
  }
  for (const auto& name : unused) {
    if (!ignored(name)) fault("unknown tensor " + name);
  }
  if (!good) return;
  for (const auto& parameter : parameters) {
    const TensorEntry* entry = file.find(parameter.name);
    write_floats(parameter.value, [&](float* to) { convert_to_float(entry->bytes.data(), entry->dtype, to, parameter.value.numel()); });
    file.release(*entry);
  }
}

std::vector<TensorEntry> parameter_entries(const std::vector<NamedParameter>& parameters, DType dtype,
                                           std::deque<std::vector<std::byte>>& converted) {
  std::vector<TensorEntry> entries;
  for (const auto& parameter : parameters) {
    TensorEntry entry{.name = parameter.name, .dtype = dtype, .shape = parameter.value.sizes().vec(), .bytes = {}};
    const at::Tensor here = parameter.value.to(at::kCPU, at::kFloat);  // the parameter itself where it is that already
    const auto* values = here.const_data_ptr<float>();
    const auto count = static_cast<size_t>(here.numel());
    if (dtype == DType::kF32 && here.data_ptr() == parameter.value.data_ptr()) {
      entry.bytes = std::as_bytes(std::span(values, count));
    } else {
      converted.emplace_back(count * static_cast<size_t>(size_of(dtype)));
      convert_from_float(values, dtype, converted.back().data(), static_cast<int64_t>(count));
      entry.bytes = converted.back();
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace grpo
