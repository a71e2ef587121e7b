#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/faults.h"
#include "grpo/io/safetensors.h"
#include "grpo/model/arena.h"

namespace grpo {

std::string shape_text(const std::vector<int64_t>& shape);

/// Calls `write` with memory for all values of a contiguous parameter, whatever its type and device; where it is float32 on the CPU, that
/// is the parameter's own.
void write_floats(const at::Tensor& parameter, const std::function<void(float*)>& write);

/// Copies the file's tensors into the parameters of their names. Adds to `faults` what is missing, of another shape or unknown (names that
/// `ignored` accepts are not); where it finds anything, nothing is written.
/// Pages of the file are let go as they were read.
void read_parameters(const Safetensors& file, const std::vector<NamedParameter>& parameters,
                     const std::function<bool(const std::string&)>& ignored, Faults& faults);

/// Parameters as a file's entries. `converted` owns what is not stored as float32.
std::vector<TensorEntry> parameter_entries(const std::vector<NamedParameter>& parameters, DType dtype,
                                           std::deque<std::vector<std::byte>>& converted);

}  // namespace grpo
