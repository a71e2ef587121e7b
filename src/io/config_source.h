#pragma once

#include "grpo/io/json_config.h"
#include "io/json_tree.h"

namespace grpo {

struct ConfigSource::Impl {
  ConfigAliases aliases;
  ForeignNames foreign;
  PartTables parts;
  JsonValue settings = json_node(JsonValue::Object{});
  int texts = 0;  // read so far

  std::shared_ptr<const JsonOrigin> next_origin(std::string name, const std::filesystem::path& folder, bool has_lines);
};

/// Where a config gave a free option.
struct OptionPlace {
  std::string options;  // the path of the options that it is among, "reward[1].options"
  JsonMember member;
};

/// The absolute form of a path, without "." and "..". Throws Error where the current folder is gone.
std::filesystem::path absolute_path(const std::filesystem::path& path);

}  // namespace grpo
