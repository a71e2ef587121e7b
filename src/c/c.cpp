#include "grpo/c.h"

#include "grpo/cli/main.h"
#include "grpo/version.h"

const char* grpo_version(void) { return grpo::version().data(); }

int grpo_main(int argc, char** argv) { return grpo::main(argc, argv, grpo::builtin_registry()); }
