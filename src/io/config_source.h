#pragma once

#include "grpo/io/json_config.h"
#include "io/json_tree.h"

namespace grpo {

struct ConfigSource::Impl {
  ConfigAliases aliases;
  JsonValue::Object settings;
  int texts = 0;  // read so far

  std::shared_ptr<const JsonOrigin> next_origin(std::string name, const std::filesystem::path& folder, bool has_lines);
};

/// The absolute form of a path, without "." and "..". Throws Error where the current folder is gone.
std::filesystem::path absolute_path(const std::filesystem::path& path);

}  // namespace grpo
