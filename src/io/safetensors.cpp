#include "grpo/io/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/mapped_file.h"
#include "io/safetensors_header.h"

namespace grpo {

struct Safetensors::Impl {
  std::vector<MappedFile> files;
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
};

namespace {

std::string where_of(const std::filesystem::path& path) { return "safetensors " + path.string(); }

const TensorEntry* find_by_name(const std::vector<TensorEntry>& sorted, const std::string& name) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), name,
                                      [](const TensorEntry& entry, const std::string& key) { return entry.name < key; });
  return found != sorted.end() && found->name == name ? &*found : nullptr;
}

nlohmann::json parse_unique_keys(std::string_view text, const std::string& where) {
  try {
    return parse_json(text, {.unique_keys = true});
  } catch (const nlohmann::json::exception& error) {
    fail(where, std::string("expected valid JSON; got: ") + error.what());
  }
}

/// weight_map of an index, turned round: the tensor names of each shard.
std::map<std::string, std::vector<std::string>> read_index(const std::filesystem::path& path) {
  const std::string where = where_of(path);
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const auto index = parse_unique_keys(text, where);
  GRPO_CHECK(index.is_object() && index.contains("weight_map") && index["weight_map"].is_object(), where,
             "expected an object with a weight_map; got something else");
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    GRPO_CHECK(shard.is_string(), where, "expected the name of a shard for " + name + "; got " + to_text(shard));
    shards[shard.get<std::string>()].push_back(name);
  }
  return shards;
}

/// A name from an untrusted index must stay in the index's folder. Links are followed: hub caches are made of them.
void check_inside(const std::filesystem::path& shard, const std::string& where) {
  const bool climbs = std::find(shard.begin(), shard.end(), "..") != shard.end();
  GRPO_CHECK(!shard.empty() && shard.is_relative() && !climbs, where, "expected shards within the folder; got \"" + shard.string() + "\"");
}

}  // namespace

Safetensors Safetensors::open(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be examined cannot be opened either, and MappedFile says why
  if (std::filesystem::is_directory(path, ignored)) {
    for (const auto* name : {kSafetensorsFile, kSafetensorsIndex}) {
      if (std::filesystem::exists(path / name, ignored)) return open(path / name);
    }
    fail(where_of(path), std::string("expected ") + kSafetensorsFile + " or " + kSafetensorsIndex + " in the folder; got neither");
  }
  auto impl = std::make_unique<Impl>();
  if (path.extension() != ".json") {
    impl->files.emplace_back(path);
    impl->tensors = parse_safetensors_at(impl->files.back().bytes(), &impl->metadata, where_of(path));
    return Safetensors(std::move(impl));
  }
  for (const auto& [shard, names] : read_index(path)) {
    check_inside(shard, where_of(path));
    const auto shard_path = path.parent_path() / shard;
    impl->files.emplace_back(shard_path);
    std::map<std::string, std::string> metadata;
    const auto tensors = parse_safetensors_at(impl->files.back().bytes(), &metadata, where_of(shard_path));
    impl->metadata.merge(metadata);
    for (const std::string& name : names) {
      const TensorEntry* tensor = find_by_name(tensors, name);
      GRPO_CHECK(tensor != nullptr, where_of(path), "expected " + name + " in the shard " + shard + "; got a shard without it");
      impl->tensors.push_back(*tensor);
    }
  }
  std::sort(impl->tensors.begin(), impl->tensors.end(), [](const TensorEntry& a, const TensorEntry& b) { return a.name < b.name; });
  return Safetensors(std::move(impl));
}

Safetensors::Safetensors(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Safetensors::Safetensors(Safetensors&&) noexcept = default;
Safetensors& Safetensors::operator=(Safetensors&&) noexcept = default;
Safetensors::~Safetensors() = default;

const std::vector<TensorEntry>& Safetensors::tensors() const { return impl_->tensors; }
const TensorEntry* Safetensors::find(const std::string& name) const { return find_by_name(impl_->tensors, name); }
const std::map<std::string, std::string>& Safetensors::metadata() const { return impl_->metadata; }
void Safetensors::release(const TensorEntry& tensor) const { release_pages(tensor.bytes); }

}  // namespace grpo
