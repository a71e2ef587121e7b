#pragma once

#include <filesystem>

namespace grpo {

/// Writes report.html into a run's folder from its metrics.jsonl, completions.jsonl and config.json: one self-contained page.
/// Throws `Error` where there are no metrics.
void write_report(const std::filesystem::path& run_folder);

}  // namespace grpo
