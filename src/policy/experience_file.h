#pragma once

#include <filesystem>

#include "grpo/policy/experience.h"

namespace grpo {

/// Writes groups as JSON, whole or not at all.
void write_experience(const std::filesystem::path& file, const Experience& experience);

/// Reads them back; `problem` stays null. Throws an Error that names the file where it holds something else.
Experience read_experience(const std::filesystem::path& file);

}  // namespace grpo
