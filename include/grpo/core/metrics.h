#pragma once

#include <map>
#include <string>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// Figures by name, as a line of metrics.jsonl has them.
using Metrics = std::map<std::string, double>;

/// Takes over the figures of `from`; a figure that both have becomes that of `from`.
inline void assign(Metrics& into, const Metrics& from) {
  for (const auto& [name, value] : from) into[name] = value;
}

}  // namespace grpo
