#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grpo/api.h"
#include "grpo/io/dtype.h"

namespace GRPO_API grpo {

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
  /// `path`: a .safetensors file, a model.safetensors.index.json, or a folder that holds either (the single file first, as transformers
  /// does). With an index the tensors are those of its weight_map, each from the shard it names; a shard must lie in the index's folder.
  static Safetensors open(const std::filesystem::path& path);
  Safetensors(Safetensors&&) noexcept;
  Safetensors& operator=(Safetensors&&) noexcept;
  ~Safetensors();

  const std::vector<TensorEntry>& tensors() const;         // sorted by name
  const TensorEntry* find(const std::string& name) const;  // null if absent
  const std::map<std::string, std::string>& metadata() const;
  /// Gives the memory of a tensor's pages back: for who reads each tensor once. It can still be read, from the disk again.
  void release(const TensorEntry& tensor) const;

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

/// Writes a model folder (made if absent): `model.safetensors` if all tensors fit `max_shard_bytes` of tensor data, else
/// `model-00001-of-0000n.safetensors`, … filled in the given order (a larger tensor gets a shard of its own) and then
/// `model.safetensors.index.json`. All files are complete on disk before the first gets its name; files of an earlier save that the new one
/// does not hold are removed last.
void write_safetensors_sharded(const std::filesystem::path& folder, const std::vector<TensorEntry>& tensors, int64_t max_shard_bytes,
                               std::map<std::string, std::string> metadata = {});

}  // namespace grpo
