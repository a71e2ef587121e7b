#include "grpo/data/options.h"

#include "grpo/io/json_config.h"

namespace grpo {

void read_options(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe) {
  read_described(where, options, describe);
}

}  // namespace grpo
