#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "report/run.h"
#include "run/disk_plan.h"
#include "run/manifest.h"
#include "run/run_folder.h"

namespace grpo::cli {
namespace {

namespace fs = std::filesystem;

/// Figures of metrics.jsonl that a list shows, and their columns.
constexpr std::pair<const char*, const char*> kFigures[] = {
    {"reward", "reward"}, {"rewards/accuracy/mean", "accuracy"}, {"loss", "loss"}, {"eval_accuracy", "eval accuracy"}};

struct ListedCheckpoint {
  std::string name;
  int64_t step = -1;  // -1: the folder does not say
  CheckpointState state;
  std::map<std::string, double> figures;  // by name in metrics.jsonl: the last ones of that step or before
};

/// The checkpoints of a run, the oldest first, or the one whose folder it is.
std::vector<fs::path> checkpoints_of(fs::path folder) {
  expect_exists(folder, "checkpoint");
  if (!folder.has_filename()) folder = folder.parent_path();
  auto found = list_checkpoints(folder);
  std::reverse(found.begin(), found.end());
  if (found.empty() && (checkpoint_step(folder) >= 0 || fs::exists(folder / "trainer_state.json"))) found.push_back(folder);
  GRPO_CHECK(!found.empty() && fs::is_directory(found.front()), "checkpoint",
             "expected the folder of a run with checkpoints, or a checkpoint's; got " + folder.string());
  return found;
}

report::Run figures_beside(const fs::path& checkpoint) {
  const fs::path run = fs::absolute(checkpoint).lexically_normal().parent_path();
  try {
    return report::read_figures(run);
  } catch (const Error&) {  // a run may have lost its log, or not begun it
    return {};
  }
}

ListedCheckpoint listed_checkpoint(const fs::path& path, const report::Run& run) {
  ListedCheckpoint found{.name = path.filename().string(), .state = inspect_checkpoint(path), .figures = {}};
  found.step = found.state.manifest ? found.state.manifest->step : checkpoint_step(path);
  for (const auto& [name, column] : kFigures) {
    for (const auto& point : run.of(name)) {
      if (point.step <= static_cast<double>(found.step)) found.figures[name] = point.value;
    }
  }
  return found;
}

std::string verdict(const CheckpointState& state) { return state.whole() ? "whole" : state.recorded ? "damaged" : "not verifiable"; }

std::string json_line(const ListedCheckpoint& checkpoint) {
  const CheckpointState& state = checkpoint.state;
  nlohmann::ordered_json json = {{"checkpoint", checkpoint.name},
                                 {"step", checkpoint.step},
                                 {"date", nullptr},
                                 {"bytes", state.bytes},
                                 {"whole", state.whole()},
                                 {"faults", state.faults},
                                 {"metrics", nlohmann::ordered_json::object()}};
  if (state.manifest) json["date"] = state.manifest->date;
  for (const auto& [name, value] : checkpoint.figures) json["metrics"][name] = value;
  return to_printable_text(json);
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// Rows of cells with their columns under each other, two spaces between.
void print_aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] + 2 - row[i].size(), ' ');
    line.resize(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
}

void print_table(const std::vector<ListedCheckpoint>& checkpoints) {
  std::vector<std::vector<std::string>> rows = {{"checkpoint", "step", "date", "size", "state"}};
  for (const auto& c : checkpoints) {
    rows.push_back({c.name, c.step < 0 ? "-" : std::to_string(c.step), c.state.manifest ? c.state.manifest->date : "-",
                    size_text(static_cast<double>(c.state.bytes)), verdict(c.state)});
  }
  for (const auto& [name, column] : kFigures) {
    if (std::ranges::none_of(checkpoints, [key = name](const auto& c) { return c.figures.contains(key); })) continue;
    rows[0].emplace_back(column);
    for (size_t i = 0; i < checkpoints.size(); ++i) {
      const auto found = checkpoints[i].figures.find(name);
      rows[i + 1].push_back(found == checkpoints[i].figures.end() ? "-" : number_text(found->second));
    }
  }
  print_aligned(rows);
  for (const auto& c : checkpoints) {
    for (const auto& fault : c.state.faults) std::cout << c.name << ": " << fault << "\n";
  }
}

void list(const std::string& folder, bool json) {
  std::vector<ListedCheckpoint> all;
  const auto paths = checkpoints_of(folder);
  const report::Run run = figures_beside(paths.front());
  for (const auto& path : paths) {
    all.push_back(listed_checkpoint(path, run));
    if (json) std::cout << json_line(all.back()) << "\n" << std::flush;
  }
  if (!json) print_table(all);
}

void verify(const std::string& folder) {
  size_t damaged = 0;
  const auto paths = checkpoints_of(folder);
  for (const auto& path : paths) {
    const CheckpointState state = inspect_checkpoint(path);
    std::cout << path.filename().string() << ": " << verdict(state);
    if (state.whole()) std::cout << ", " << state.manifest->files.size() << " files, " << size_text(static_cast<double>(state.bytes));
    std::cout << "\n";
    for (const auto& fault : state.faults) std::cout << "  " << fault << "\n";
    std::cout << std::flush;
    damaged += state.whole() ? 0 : 1;
  }
  GRPO_CHECK(damaged == 0, "checkpoint",
             "expected whole checkpoints; got " + std::to_string(damaged) + " of " + std::to_string(paths.size()) + " that are not");
}

}  // namespace

void add_checkpoint(CLI::App& app) {
  auto* sub = app.add_subcommand("checkpoint", "What checkpoints a run has, and whether they are what was written");
  sub->require_subcommand(1);
  auto folder = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  auto* listing = sub->add_subcommand("list", "Step, date, size, whole or not, and the figures logged up to that step");
  auto* verifying = sub->add_subcommand("verify", "Compare every file with the hash it was written with; exit status 1 if one differs");
  for (auto* command : {listing, verifying})
    command->add_option("run", *folder, "The run's folder, or one checkpoint's")->required()->type_name("PATH");
  listing->add_flag("--json", *json, "One JSON line a checkpoint");
  listing->callback([folder, json] { list(*folder, *json); });
  verifying->callback([folder] { verify(*folder); });
}

}  // namespace grpo::cli
