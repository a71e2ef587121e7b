#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/config.h"

namespace GRPO_API grpo {

/// The own options of a reward or a task: name → JSON text of the value, as a config file has them.
using NamedOptions = std::vector<std::pair<std::string, std::string>>;

/// Reads `options` into the struct that `describe` visits; what is not named keeps its default. Throws a usage error that begins with
/// `where` for unknown names (with the nearest one), repeated names, wrong types and values out of range.
void read_options(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe);

/// The same for a struct that has `void describe(ConfigVisitor&, Options&)`.
template <class Options>
Options read_options(std::string_view where, const NamedOptions& options) {
  Options result;
  read_options(where, options, [&result](ConfigVisitor& visitor) { describe(visitor, result); });
  return result;
}

}  // namespace grpo
