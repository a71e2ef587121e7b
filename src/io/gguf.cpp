#include "grpo/io/gguf.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <unordered_map>
#include <utility>

#include "grpo/core/error.h"
#include "grpo/io/mapped_file.h"
#include "io/gguf_parse.h"

namespace grpo {

namespace {

constexpr int64_t kMostSplits = 65535;  // the format counts in 16 bits

/// The name of file `number`, from 1, of a model split into `count`: its end, with the extension.
std::string split_ending(int64_t number, int64_t count) {
  char text[40];
  std::snprintf(text, sizeof text, "-%05d-of-%05d.gguf", static_cast<int>(number), static_cast<int>(count));
  return text;
}

}  // namespace

struct Gguf::Impl {
  std::string where;
  std::vector<MappedFile> files;  // none for in-memory bytes; several of a split model
  GgufContents contents;
  std::unordered_map<std::string, size_t> index;

  void parse(std::span<const std::byte> bytes) {
    contents = parse_gguf_at(bytes, where);
    add_to_index(0);
  }
  void add_to_index(size_t first) {
    for (size_t i = first; i < contents.tensors.size(); ++i) {
      const std::string& name = contents.tensors[i].name;
      GRPO_CHECK(index.emplace(name, i).second, where, "expected each tensor in one file of a split model; got " + name + " in two");
    }
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

  /// Adds the tensors of the other files of a split model.
  void open_others(const std::filesystem::path& first) {
    const auto integer = [this](const GgufContents& from, const std::string& key, int64_t fallback) {
      const auto found = from.metadata.find(key);
      return found == from.metadata.end() ? fallback : as_int(found->second, key);
    };
    const int64_t count = integer(contents, "split.count", 1);
    if (count <= 1) return;
    const int64_t number = integer(contents, "split.no", 0);
    GRPO_CHECK(count <= kMostSplits && number >= 0 && number < count, where, "expected split.no below split.count; got others");
    const std::string name = first.filename().string(), ending = split_ending(number + 1, count);
    GRPO_CHECK(name.ends_with(ending), where, "expected a file of a split model to be called …" + ending + "; got another name");
    const std::string stem = name.substr(0, name.size() - ending.size());
    GRPO_CHECK(number == 0, where, "expected the first file of a split model, " + stem + split_ending(1, count) + "; got another one");
    for (int64_t i = 1; i < count; ++i) {
      const auto path = first.parent_path() / (stem + split_ending(i + 1, count));
      const std::string at = "gguf " + path.string();
      files.emplace_back(path);
      const GgufContents more = parse_gguf_at(files.back().bytes(), at);
      GRPO_CHECK(integer(more, "split.no", -1) == i && integer(more, "split.count", -1) == count, at,
                 "expected split.no " + std::to_string(i) + " of " + std::to_string(count) + "; got another part");
      const size_t known = contents.tensors.size();
      contents.tensors.insert(contents.tensors.end(), more.tensors.begin(), more.tensors.end());
      add_to_index(known);
    }
    const auto tensors = static_cast<int64_t>(contents.tensors.size()), all = integer(contents, "split.tensors.count", tensors);
    GRPO_CHECK(tensors == all, where,
               "expected " + std::to_string(all) + " tensors in the files of a split model; got " + std::to_string(tensors));
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
  impl->files.emplace_back(path);
  impl->parse(impl->files.back().bytes());
  impl->open_others(path);
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
