#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace grpo {

/// The checkpoint that a run goes on from: the newest, or the one of the name `named`, such as checkpoint-400, if that is not empty.
/// Nothing if the run has none and none is named; throws if the named one is not there. Reads no file.
std::optional<std::filesystem::path> choose_checkpoint(const std::filesystem::path& run, const std::string& named);

/// Throws if a checkpoint of the run is damaged, with what is wrong, the newest one that is whole and the option that takes it. One
/// without checkpoint.json, of which nobody can tell, is taken if it was named, with a warning.
void expect_whole(const std::filesystem::path& run, const std::filesystem::path& checkpoint, bool named);

/// Gives checkpoints of steps after `step` the name checkpoint-N.left, or .left.2 and so on, and says so: they are neither lost nor taken
/// for the run's own.
void set_later_checkpoints_aside(const std::filesystem::path& run, int64_t step);

}  // namespace grpo
