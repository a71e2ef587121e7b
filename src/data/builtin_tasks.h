#pragma once

#include <memory>

#include "grpo/data/tasks.h"

namespace grpo {

std::unique_ptr<Task> make_countdown_task(const NamedOptions& options);
std::unique_ptr<Task> make_chained_arithmetic_task(const NamedOptions& options);

/// Throws a usage error unless `operations` has at least one of `allowed`, each at most once, and nothing else.
void check_operations(std::string_view where, const std::string& operations, std::string_view allowed);

}  // namespace grpo
