#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// Block types of GGUF tensors that the reader dequantises.
enum class GgufType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30
};

struct GgufTensor {
  std::string name;
  GgufType type = GgufType::kF32;
  std::vector<int64_t> shape;  // row major: the file's dims reversed, as PyTorch has them
  uint64_t offset = 0;         // of the data within its file
  std::span<const std::byte> bytes;
  int64_t numel() const;
};

/// A metadata value: every integer type as int64 or uint64, every float as double, arrays homogeneous.
using GgufValue = std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<int64_t>, std::vector<uint64_t>,
                               std::vector<double>, std::vector<std::string>, std::vector<bool>>;

/// A read-only, memory-mapped GGUF file (version 2 or 3, little endian). Throws `Error` on truncation, bad counts, overlaps, unknown types.
class Gguf {
 public:
  /// Of a model that is split into `name-00001-of-0000N.gguf` and so on, `path` is the first file; the others must lie beside it. The
  /// result has the first file's metadata and the tensors of all.
  static Gguf open(const std::filesystem::path& path);
  Gguf(Gguf&&) noexcept;
  Gguf& operator=(Gguf&&) noexcept;
  ~Gguf();

  uint32_t version() const;
  const std::map<std::string, GgufValue>& metadata() const;
  const std::vector<GgufTensor>& tensors() const;  // in file order
  const GgufTensor* find(const std::string& name) const;

  bool has(const std::string& key) const;
  /// Typed access; throws naming the key if it is absent (and no default is given) or of another type.
  int64_t get_int(const std::string& key) const;
  int64_t get_int(const std::string& key, int64_t fallback) const;
  double get_float(const std::string& key, double fallback) const;
  bool get_bool(const std::string& key, bool fallback) const;
  std::string get_string(const std::string& key) const;
  std::string get_string(const std::string& key, const std::string& fallback) const;
  const std::vector<std::string>& get_strings(const std::string& key) const;

 private:
  struct Impl;
  explicit Gguf(std::unique_ptr<Impl> impl);
  friend Gguf parse_gguf(std::span<const std::byte> bytes);
  std::unique_ptr<Impl> impl_;
};

/// Parses an in-memory file (for tests and fuzzing); `bytes` must outlive the result.
Gguf parse_gguf(std::span<const std::byte> bytes);

/// Dequantises the whole tensor into `out` (numel floats).
void dequantize(const GgufTensor& tensor, std::span<float> out);

}  // namespace grpo
