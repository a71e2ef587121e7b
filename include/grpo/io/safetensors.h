#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grpo/io/dtype.h"

namespace grpo {

/// One tensor of a file: where it lies in the mapped bytes. Not aligned: copy, never cast.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // row major
  std::span<const std::byte> bytes;
  int64_t numel() const;
};

/// A read-only, memory-mapped safetensors file, or a sharded set named by its index.
/// Throws `Error` on anything that the format forbids: holes, overlaps, wrong sizes, duplicate names, unknown dtypes.
class Safetensors {
 public:
  /// `path`: a .safetensors file, a model.safetensors.index.json, or a folder that holds either.
  static Safetensors open(const std::filesystem::path& path);
  Safetensors(Safetensors&&) noexcept;
  Safetensors& operator=(Safetensors&&) noexcept;
  ~Safetensors();

  const std::vector<TensorEntry>& tensors() const;  // sorted by name
  const TensorEntry* find(const std::string& name) const;  // null where absent
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Impl;
  explicit Safetensors(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Parses the header of an in-memory file (for tests and fuzzing); entries point into `bytes`.
std::vector<TensorEntry> parse_safetensors(std::span<const std::byte> bytes, std::map<std::string, std::string>* metadata = nullptr);

/// Writes `tensors` atomically to `path`, ordered as the reference implementation does (dtype size descending, then name).
/// Metadata always has format=pt unless given otherwise.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace grpo
