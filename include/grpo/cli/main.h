#pragma once

#include "grpo/trainer/registry.h"

namespace grpo {

/// The `grpo` program with your parts: every subcommand, usable from JSON. Returns the exit status: 0 on success, 1 for a failure, 2 for a
/// bad command line or configuration; errors go to stderr in one paragraph. Never throws.
int main(int argc, char** argv, const Registry& registry);

}  // namespace grpo
