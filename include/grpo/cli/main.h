#pragma once

#include "grpo/api.h"
#include "grpo/trainer/registry.h"

namespace GRPO_API grpo {

/// The `grpo` program with your parts: every subcommand, usable from JSON. Returns the exit status: 0 on success, 1 for a failure, 2 for a
/// bad command line or configuration, 75 if a signal stopped it and it can be continued. Errors go to stderr in one paragraph. Never
/// throws. SIGPIPE is ignored from here on, and closed descriptors among 0 to 2 are opened on /dev/null.
int main(int argc, char** argv, const Registry& registry);

}  // namespace grpo
