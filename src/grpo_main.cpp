#include "grpo/cli/main.h"

int main(int argc, char** argv) { return grpo::main(argc, argv, grpo::builtin_registry()); }
