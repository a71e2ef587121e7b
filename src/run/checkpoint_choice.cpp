#include "run/checkpoint_choice.h"

#include <algorithm>

#include "core/faults.h"
#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "run/manifest.h"
#include "run/run_folder.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kChoiceWhere = "resume";

std::string joined_names(const std::vector<fs::path>& checkpoints) {
  std::string text;
  for (const auto& path : checkpoints) text += (text.empty() ? "" : ", ") + path.filename().string();
  return text.empty() ? "none" : text;
}

/// What else there is to take.
std::string advice(const fs::path& run, const fs::path& refused) {
  for (const auto& path : list_checkpoints(run)) {
    if (path == refused || !inspect_checkpoint(path).whole()) continue;
    const std::string name = path.filename().string();
    return "the newest whole one is " + name + ": a run that is resumed from it by name sets later ones aside";
  }
  return "no other checkpoint of the run is whole";
}

}  // namespace

std::optional<fs::path> choose_checkpoint(const fs::path& run, const std::string& named) {
  const auto all = list_checkpoints(run);
  if (named.empty()) return all.empty() ? std::nullopt : std::optional(all.front());
  const auto found = std::ranges::find_if(all, [&named](const fs::path& path) { return path.filename() == named; });
  if (found == all.end()) {
    fail_usage(kChoiceWhere,
               "expected the name of a checkpoint in " + run.string() + "; got " + named + "; there are: " + joined_names(all));
  }
  return *found;
}

void expect_whole(const fs::path& run, const fs::path& checkpoint, bool named) {
  const CheckpointState state = inspect_checkpoint(checkpoint);
  if (state.whole()) return;
  const std::string name = checkpoint.filename().string();
  if (state.recorded) {
    Faults faults;
    for (const auto& fault : state.faults) faults.add(fault);
    faults.raise(kChoiceWhere, ErrorKind::kFailure, checkpoint.string() + " is damaged; " + advice(run, checkpoint) + ". What is wrong: ");
  }
  if (named) {
    log_warn(name + " has no checkpoint.json, so that nobody can tell whether it is whole; it is taken, as it was named");
    return;
  }
  fail(kChoiceWhere, checkpoint.string() + ": " + state.faults.front() +
                         ", and whether it is whole cannot be told. It is taken as it is if it is named; " + advice(run, checkpoint));
}

void set_later_checkpoints_aside(const fs::path& run, int64_t step) {
  for (const auto& path : list_checkpoints(run)) {
    if (checkpoint_step(path) <= step) continue;
    fs::path aside = path.string() + ".left";
    for (int number = 2; fs::exists(aside); ++number) aside = path.string() + ".left." + std::to_string(number);
    fs::rename(path, aside);
    log_warn(path.string() + " is later than what the run goes on from; it is now " + aside.filename().string());
  }
}

}  // namespace grpo
