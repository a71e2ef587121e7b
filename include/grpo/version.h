#pragma once

#include <string_view>

#include "grpo/api.h"

/// The version of these headers. The build reads it from here.
#define GRPO_VERSION_MAJOR 0
#define GRPO_VERSION_MINOR 1
#define GRPO_VERSION_PATCH 0

namespace GRPO_API grpo {

/// The version of the library that is linked, such as "0.1.0". Until 1.0 libraries of another minor version do not fit these headers.
std::string_view version();

}  // namespace grpo
