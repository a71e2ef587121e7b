#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "grpo/api.h"
#include "grpo/core/config.h"

namespace GRPO_API grpo {

/// Reads `options` into the struct that `describe` visits, which may have lists and sections; what is not named keeps its default. Throws a
/// usage error for unknown names (with the nearest one), repeated names, wrong types and values out of range. It begins with the place in
/// the config that gave the option ("run.json:14: reward[1].options.keyword: …"), or with `where` if no config did. Paths are relative to
/// the config's folder, or else to the current one.
void read_options(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe);

/// The same for a struct that has `void describe(ConfigVisitor&, Options&)`.
template <class Options>
Options read_options(std::string_view where, const NamedOptions& options) {
  Options result;
  read_options(where, options, [&result](ConfigVisitor& visitor) { describe(visitor, result); });
  return result;
}

/// Throws a usage error if there are options: for what has none.
inline void expect_no_options(std::string_view where, const NamedOptions& options) {
  read_options(where, options, [](ConfigVisitor&) {});
}

}  // namespace grpo
