#include "grpo/io/gguf.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/io/mapped_file.h"
#include "io/gguf_parse.h"

namespace grpo {

struct Gguf::Impl {
  std::string where;
  std::optional<MappedFile> file;  // absent for in-memory bytes
  GgufContents contents;
  std::unordered_map<std::string, size_t> index;

  void parse(std::span<const std::byte> bytes) {
    contents = parse_gguf_at(bytes, where);
    for (size_t i = 0; i < contents.tensors.size(); ++i) index.emplace(contents.tensors[i].name, i);
  }
  const GgufValue* find(const std::string& key) const {
    const auto found = contents.metadata.find(key);
    return found != contents.metadata.end() ? &found->second : nullptr;
  }
  const GgufValue& require(const std::string& key) const {
    const GgufValue* value = find(key);
    GRPO_CHECK(value != nullptr, where, "expected the metadata key " + key + "; got a file without it");
    return *value;
  }
  template <typename T>
  const T& as(const GgufValue& value, const std::string& key, const char* type) const {
    const T* typed = std::get_if<T>(&value);
    GRPO_CHECK(typed != nullptr, where, "expected " + std::string(type) + " for the metadata key " + key + "; got another type");
    return *typed;
  }
  int64_t as_int(const GgufValue& value, const std::string& key) const {
    if (const auto* number = std::get_if<uint64_t>(&value)) {
      GRPO_CHECK(*number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), where,
                 "expected an integer below 2^63 for the metadata key " + key + "; got " + std::to_string(*number));
      return static_cast<int64_t>(*number);
    }
    return as<int64_t>(value, key, "an integer");
  }
};

int64_t GgufTensor::numel() const {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

Gguf Gguf::open(const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->where = "gguf " + path.string();
  impl->file.emplace(path);
  impl->parse(impl->file->bytes());
  return Gguf(std::move(impl));
}

Gguf parse_gguf(std::span<const std::byte> bytes) {
  auto impl = std::make_unique<Gguf::Impl>();
  impl->where = "parse_gguf";
  impl->parse(bytes);
  return Gguf(std::move(impl));
}

Gguf::Gguf(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gguf::Gguf(Gguf&&) noexcept = default;
Gguf& Gguf::operator=(Gguf&&) noexcept = default;
Gguf::~Gguf() = default;

uint32_t Gguf::version() const { return impl_->contents.version; }
const std::map<std::string, GgufValue>& Gguf::metadata() const { return impl_->contents.metadata; }
const std::vector<GgufTensor>& Gguf::tensors() const { return impl_->contents.tensors; }

const GgufTensor* Gguf::find(const std::string& name) const {
  const auto found = impl_->index.find(name);
  return found != impl_->index.end() ? &impl_->contents.tensors[found->second] : nullptr;
}

bool Gguf::has(const std::string& key) const { return impl_->find(key) != nullptr; }

int64_t Gguf::get_int(const std::string& key) const { return impl_->as_int(impl_->require(key), key); }

int64_t Gguf::get_int(const std::string& key, int64_t fallback) const {
  const GgufValue* value = impl_->find(key);
  return value != nullptr ? impl_->as_int(*value, key) : fallback;
}

double Gguf::get_float(const std::string& key, double fallback) const {
  const GgufValue* value = impl_->find(key);
  return value != nullptr ? impl_->as<double>(*value, key, "a floating-point number") : fallback;
}

bool Gguf::get_bool(const std::string& key, bool fallback) const {
  const GgufValue* value = impl_->find(key);
  return value != nullptr ? impl_->as<bool>(*value, key, "a boolean") : fallback;
}

std::string Gguf::get_string(const std::string& key) const { return impl_->as<std::string>(impl_->require(key), key, "a string"); }

std::string Gguf::get_string(const std::string& key, const std::string& fallback) const {
  const GgufValue* value = impl_->find(key);
  return value != nullptr ? impl_->as<std::string>(*value, key, "a string") : fallback;
}

const std::vector<std::string>& Gguf::get_strings(const std::string& key) const {
  return impl_->as<std::vector<std::string>>(impl_->require(key), key, "an array of strings");
}

}  // namespace grpo
