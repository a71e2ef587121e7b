#include "grpo/version.h"

namespace grpo {

#define GRPO_TEXT(x) #x
#define GRPO_DOTTED(major, minor, patch) GRPO_TEXT(major) "." GRPO_TEXT(minor) "." GRPO_TEXT(patch)

std::string_view version() { return GRPO_DOTTED(GRPO_VERSION_MAJOR, GRPO_VERSION_MINOR, GRPO_VERSION_PATCH); }

}  // namespace grpo
