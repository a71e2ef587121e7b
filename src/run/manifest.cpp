#include "run/manifest.h"

#include <ctime>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kManifestFile = "checkpoint.json";
constexpr const char* kHashKey = "xxh3_128";

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

/// The one text of a manifest: its last member is the hash of the others.
std::string canonical_text(const Manifest& manifest) {
  Json members = {{"step", manifest.step}, {"date", manifest.date}, {"files", Json::object()}};
  for (const auto& [name, content] : manifest.files) members["files"][name] = {{"bytes", content.size}, {kHashKey, content.hash}};
  members[kHashKey] = hash_of(to_text(members));
  return to_text(members, 2) + "\n";
}

/// Nothing where the text is not, to the byte, what was written.
std::optional<Manifest> parsed(const std::string& text) {
  try {
    const Json members = try_parse_json<Json>(text);
    Manifest manifest{.step = members.at("step").get<int64_t>(), .date = members.at("date").get<std::string>(), .files = {}};
    for (const auto& [name, content] : members.at("files").items())
      manifest.files[name] = {.size = content.at("bytes").get<uint64_t>(), .hash = content.at(kHashKey).get<std::string>()};
    if (canonical_text(manifest) == text) return manifest;
  } catch (const nlohmann::json::exception&) {  // not the members that a manifest has
  }
  return std::nullopt;
}

/// Paths within the folder of what lies in it, folders excepted.
std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) names.insert(entry.path().lexically_relative(folder).generic_string());
  }
  return names;
}

/// What is wrong with a file that should hold `expected`; empty if nothing is.
std::string fault_of(const fs::path& path, const FileHash& expected) {
  try {
    if (!fs::is_regular_file(path)) return "expected a regular file";
    const auto size = fs::file_size(path);
    if (size != expected.size) return "expected " + std::to_string(expected.size) + " bytes; got " + std::to_string(size);
    const std::string hash = hash_of_file(path).hash;
    return hash == expected.hash ? "" : "expected the hash " + expected.hash + "; got " + hash;
  } catch (const std::exception& error) {
    return error.what();
  }
}

void compare(const fs::path& folder, std::set<std::string> present, CheckpointState& state) {
  present.erase(kManifestFile);
  for (const auto& [name, expected] : state.manifest->files) {
    if (present.erase(name) == 0) {
      state.faults.push_back(name + " is missing");
    } else if (const std::string fault = fault_of(folder / name, expected); !fault.empty()) {
      state.faults.push_back(name + ": " + fault);
    }
  }
  for (const auto& name : present) state.faults.push_back(name + " is no part of it");
}

}  // namespace

void write_manifest(const fs::path& folder, int64_t step) {
  Manifest manifest{.step = step, .date = date_now(), .files = {}};
  for (const auto& name : names_in(folder)) {
    GRPO_CHECK(fs::is_regular_file(folder / name), "checkpoint", "expected regular files alone; got " + (folder / name).string());
    if (name != kManifestFile) manifest.files[name] = hash_of_file(folder / name);
  }
  write_file_atomically(folder / kManifestFile, canonical_text(manifest));
}

CheckpointState inspect_checkpoint(const fs::path& folder) {
  CheckpointState state;
  try {
    const auto present = names_in(folder);
    state.bytes = bytes_in(folder);
    state.recorded = present.contains(kManifestFile);
    if (!state.recorded) {
      state.faults.emplace_back("it has no checkpoint.json: an earlier version wrote it, or the file was lost");
      return state;
    }
    state.manifest = parsed(file_text(folder / kManifestFile, "checkpoint"));
    if (state.manifest) {
      compare(folder, present, state);
    } else {
      state.faults.emplace_back("checkpoint.json is not what was written");
    }
  } catch (const std::exception& error) {
    state.faults.emplace_back(error.what());
  }
  return state;
}

uint64_t bytes_in(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code absent;
  for (const auto& entry : fs::recursive_directory_iterator(folder, absent)) bytes += entry.is_regular_file() ? entry.file_size() : 0;
  return bytes;
}

}  // namespace grpo
