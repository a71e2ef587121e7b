#pragma once

#include <string>
#include <string_view>

#include "jinja/context.h"

namespace grpo::jinja {

/// Resolves a string literal's escapes as Python does; an unknown escape stays as it is written.
std::string unescape(std::string_view literal, Position at);

}  // namespace grpo::jinja
