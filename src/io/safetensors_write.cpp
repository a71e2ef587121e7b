#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "io/safetensors_header.h"

namespace grpo {
namespace {

using Metadata = std::map<std::string, std::string>;
using Tensors = std::vector<const TensorEntry*>;

constexpr auto kSafetensorsWriteWhere = "write_safetensors";

std::string quoted(const std::string& text) {
  try {
    return to_text(nlohmann::json(text));
  } catch (const nlohmann::json::exception&) {
    fail(kSafetensorsWriteWhere, "expected names and metadata in UTF-8; got other bytes");
  }
}

Tensors pointers_to(const std::vector<TensorEntry>& tensors) {
  Tensors result;
  std::set<std::string> names = {"__metadata__"};
  for (const TensorEntry& tensor : tensors) {
    GRPO_CHECK(names.insert(tensor.name).second, kSafetensorsWriteWhere,
               "expected unique tensor names other than __metadata__; got \"" + tensor.name + "\"");
    const int64_t size = tensor_bytes(tensor.shape, tensor.dtype, kSafetensorsWriteWhere);
    GRPO_CHECK(static_cast<uint64_t>(size) == tensor.bytes.size(), kSafetensorsWriteWhere,
               "expected " + std::to_string(size) + " bytes for " + tensor.name + "; got " + std::to_string(tensor.bytes.size()));
    result.push_back(&tensor);
  }
  return result;
}

/// The JSON header, padded; `tensors` in file order.
std::string header_of(const Tensors& tensors, const Metadata& metadata) {
  std::string header = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) header.append(header.ends_with('{') ? "" : ",").append(quoted(key) + ":" + quoted(value));
  header.append("}");
  uint64_t offset = 0;
  for (const TensorEntry* tensor : tensors) {
    const uint64_t end = offset + tensor->bytes.size();
    header.append("," + quoted(tensor->name) + ":{\"dtype\":\"").append(to_string(tensor->dtype));
    header.append("\",\"shape\":" + to_text(nlohmann::json(tensor->shape)));
    header.append(",\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]}");
    offset = end;
  }
  header.append("}");
  header.append((8 - header.size() % 8) % 8, ' ');
  GRPO_CHECK(header.size() <= kMaxSafetensorsHeader, kSafetensorsWriteWhere,
             "expected a header of at most 100000000 bytes; got " + std::to_string(header.size()));
  return header;
}

/// Everything on disk under the temporary name, ready to commit.
AtomicFile staged(const std::filesystem::path& path, Tensors tensors, const Metadata& metadata) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorEntry* a, const TensorEntry* b) { return a->dtype != b->dtype ? a->dtype > b->dtype : a->name < b->name; });
  const std::string header = header_of(tensors, metadata);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const TensorEntry* tensor : tensors) file.write(tensor->bytes);
  file.finish();
  return file;
}

std::vector<Tensors> split_into_shards(const Tensors& tensors, int64_t max_shard_bytes) {
  std::vector<Tensors> shards(1);
  uint64_t used = 0;
  for (const TensorEntry* tensor : tensors) {
    if (!shards.back().empty() && used + tensor->bytes.size() > static_cast<uint64_t>(max_shard_bytes)) {
      shards.emplace_back();
      used = 0;
    }
    shards.back().push_back(tensor);
    used += tensor->bytes.size();
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  const auto digits = [](size_t number) {
    const std::string text = std::to_string(number);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return "model-" + digits(index + 1) + "-of-" + digits(count) + ".safetensors";
}

/// True for the files that write_safetensors_sharded may have made: model.safetensors, its index, model-<digits>-of-<digits>.safetensors.
bool is_model_file(std::string name) {
  if (name == kSafetensorsFile || name == kSafetensorsIndex) return true;
  std::erase_if(name, [](char c) { return c >= '0' && c <= '9'; });
  return name == "model--of-.safetensors";
}

void remove_others(const std::filesystem::path& folder, const std::set<std::string>& keep) {
  std::vector<std::filesystem::path> stale;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    if (is_model_file(name) && !keep.contains(name)) stale.push_back(item.path());
  }
  for (const auto& path : stale) std::filesystem::remove(path);
}

void write_shards(const std::filesystem::path& folder, const std::vector<Tensors>& shards, const Metadata& metadata) {
  nlohmann::ordered_json index;
  std::map<std::string, std::string> weight_map;
  uint64_t total_size = 0;
  std::set<std::string> keep = {kSafetensorsIndex};
  std::vector<AtomicFile> files;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    for (const TensorEntry* tensor : shards[i]) {
      weight_map[tensor->name] = name;
      total_size += tensor->bytes.size();
    }
    files.push_back(staged(folder / name, shards[i], metadata));
    keep.insert(name);
  }
  index["metadata"]["total_size"] = total_size;
  index["weight_map"] = weight_map;
  AtomicFile index_file(folder / kSafetensorsIndex);
  index_file.write(to_text(index, 2) + "\n");
  index_file.finish();
  // Between here and the last commit a crash leaves no index, which readers refuse, rather than an old one over new shards.
  std::filesystem::remove(folder / kSafetensorsIndex);
  for (AtomicFile& file : files) file.commit();
  index_file.commit();
  remove_others(folder, keep);
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& tensors, Metadata metadata) {
  metadata.emplace("format", "pt");
  staged(path, pointers_to(tensors), metadata).commit();
}

void write_safetensors_sharded(const std::filesystem::path& folder, const std::vector<TensorEntry>& tensors, int64_t max_shard_bytes,
                               Metadata metadata) {
  GRPO_CHECK(max_shard_bytes > 0, "write_safetensors_sharded",
             "expected max_shard_bytes of at least 1; got " + std::to_string(max_shard_bytes));
  metadata.emplace("format", "pt");
  const auto shards = split_into_shards(pointers_to(tensors), max_shard_bytes);
  try {
    std::filesystem::create_directories(folder);
    if (shards.size() > 1) return write_shards(folder, shards, metadata);
    staged(folder / kSafetensorsFile, shards.front(), metadata).commit();
    remove_others(folder, {kSafetensorsFile});
  } catch (const std::filesystem::filesystem_error& error) {
    fail("write_safetensors_sharded", std::string("expected to write a model folder; got: ") + error.what());
  }
}

}  // namespace grpo
