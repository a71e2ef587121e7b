#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace grpo {

/// What a run is made of, by name: each setting as a config names it ("optim.learning_rate"), and the contents of what it reads
/// ("content.data", "content.model", …).
using Fingerprint = std::map<std::string, std::string>;

/// An entry that differs between two fingerprints; a side that lacks it says «absent».
struct Change {
  std::string key, was, now;
};
std::vector<Change> changes_between(const Fingerprint& was, const Fingerprint& now);
/// "optim.learning_rate: 0.001, now 0.01"
std::string to_string(const Change& change);

/// Whether a run that goes on with another value of this entry would no longer be the same run: its seed, data, model, objective and
/// reference.
bool is_fixed(std::string_view key);

/// Whether another value of this entry changes what a step computes, rather than when the run ends or what is written of it. (A schedule of
/// the learning rate follows the planned number of steps, of which a resumed run warns.)
bool shapes_steps(std::string_view key);

/// What a resumed run may change, and does. `allowed` names entries, or the beginnings of their names up to a dot, that it may change
/// though they are fixed. Throws a usage error that shows both values of each other fixed entry that differs, and one for a name in
/// `allowed` that no entry has.
std::vector<Change> accepted_changes(const Fingerprint& was, const Fingerprint& now, std::span<const std::string> allowed);

/// Adds the changes of a run that went on after `step` to its changes.jsonl.
void append_changes(const std::filesystem::path& run, int64_t step, const std::vector<Change>& changes);

/// fingerprint.json of a checkpoint; nothing if the checkpoint has none.
void save_fingerprint(const std::filesystem::path& folder, const Fingerprint& fingerprint);
std::optional<Fingerprint> load_fingerprint(const std::filesystem::path& folder);

}  // namespace grpo
