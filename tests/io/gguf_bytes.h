#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace grpo::testing {

/// Writes the pieces of a GGUF file as the format defines them.
class GgufBytes {
 public:
  template <typename T>
  GgufBytes& raw(T value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  GgufBytes& string(const std::string& text) {
    raw<uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  GgufBytes& header(uint64_t tensors, uint64_t pairs, uint32_t version = 3) {
    bytes_ += "GGUF";
    return raw(version).raw(tensors).raw(pairs);
  }
  GgufBytes& key(const std::string& name, uint32_t type) { return string(name).raw(type); }
  template <typename T>
  GgufBytes& pair(const std::string& name, uint32_t type, T value) {
    return key(name, type).raw(value);
  }
  /// `dims` innermost first.
  GgufBytes& tensor(const std::string& name, std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    string(name).raw(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) raw(dim);
    return raw(type).raw(offset);
  }
  GgufBytes& pad(size_t alignment = 32) {
    while (bytes_.size() % alignment != 0) bytes_.push_back('\0');
    return *this;
  }
  GgufBytes& data(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& str() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace grpo::testing
