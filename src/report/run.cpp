#include "report/run.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json.h"
#include "grpo/core/error.h"
#include "report/html.h"

namespace grpo::report {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr double kLargestStep = 1e15;
constexpr double kLargestValue = 1e100, kSmallestValue = 1e-100;  // sums of larger ones could overflow; smaller ones are zero
constexpr size_t kSamplesShown = 4;                               // of a step
constexpr size_t kLinesKept = 64;  // from the end of completions.jsonl: the last step's are looked for among them
constexpr std::streamoff kTailBytes = std::streamoff{1} << 23;
constexpr size_t kChangesShown = 100;  // settings
constexpr size_t kTextBytes = 6000;    // of a prompt or a completion
constexpr size_t kNameBytes = 80;      // of a reward's name and the like
constexpr size_t kVerdictsShown = 30;  // of each list of verdicts.json
constexpr size_t kAnswerBytes = 400;
constexpr size_t kVerdictsBytes = size_t{1} << 20;  // of verdicts.json
constexpr size_t kConfigBytes = size_t{1} << 17;    // of config.json

/// `line` with the bare words NaN and Infinity, which some writers put for such numbers, as null.
std::string with_nulls(std::string_view line) {
  std::string result;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) quoted = !quoted;
    size_t skip = 0;
    for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
      if (!quoted && skip == 0 && line.substr(i, word.size()) == word) skip = word.size();
    }
    result += skip > 0 ? "null" : std::string(1, line[i]);
    i += skip > 0 ? skip - 1 : 0;
  }
  return result;
}

/// The object in `line`, if it is one with a number as step.
std::optional<ordered_json> object_of(const std::string& line) {
  ordered_json object = try_parse_json<ordered_json>(line);
  if (object.is_discarded()) object = try_parse_json<ordered_json>(with_nulls(line));
  if (!object.is_object() || !object.contains("step") || !object["step"].is_number()) return std::nullopt;
  if (!(std::abs(object["step"].get<double>()) < kLargestStep)) return std::nullopt;
  return object;
}

bool blank(const std::string& line) { return line.find_first_not_of(" \t\r") == std::string::npos; }

void add_line(Run& run, const ordered_json& object) {
  const double step = object["step"].get<double>();
  run.first_step = std::min(run.first_step, step);
  run.last_step = std::max(run.last_step, step);
  for (const auto& [name, value] : object.items()) {
    if (name == "step") continue;
    if (value.is_number() && std::abs(value.get<double>()) < kLargestValue) {
      const double number = value.get<double>();
      run.series[name].push_back({step, std::abs(number) < kSmallestValue ? 0.0 : number});
    } else {
      run.undefined_values += value.is_null() || value.is_number() ? 1 : 0;
    }
  }
}

void read_metrics(const fs::path& path, Run& run) {
  std::ifstream file(path);
  GRPO_CHECK(file.is_open(), "report", "expected a run's folder with a metrics.jsonl; cannot read " + path.string());
  std::string line;
  size_t number = 0, broken = 0, good = 0;
  while (std::getline(file, line)) {
    ++number;
    if (blank(line)) continue;
    GRPO_CHECK(broken == 0, "report",
               "expected an object with a step in line " + std::to_string(broken) + " of " + path.string() + "; got something else");
    if (const auto object = object_of(line)) {
      add_line(run, *object);
      ++good;
    } else {
      broken = number;  // allowed in the last line: a write that was cut off
    }
  }
  GRPO_CHECK(good > 0, "report", "expected at least one line in " + path.string() + "; the run has not logged a step yet");
  for (auto& [name, series] : run.series) {
    std::stable_sort(series.begin(), series.end(), [](const Point& a, const Point& b) { return a.step < b.step; });
  }
}

std::string text_of(const ordered_json& object, const char* key, size_t bytes) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? shortened(it->get_ref<const std::string&>(), bytes) : std::string();
}

std::optional<Sample> sample_of(const std::string& line) {
  const auto object = object_of(line);
  if (!object) return std::nullopt;
  Sample sample{.step = (*object)["step"].get<double>(),
                .prompt = text_of(*object, "prompt", kTextBytes),
                .completion = text_of(*object, "completion", kTextBytes),
                .finish = text_of(*object, "finish", kNameBytes),
                .rewards = {},
                .kinds = {}};
  if (const auto rewards = object->find("rewards"); rewards != object->end() && rewards->is_object()) {
    for (const auto& [name, value] : rewards->items()) {
      sample.rewards.emplace_back(shortened(name, kNameBytes),
                                  value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN());
      if (sample.rewards.size() == 16) break;
    }
  }
  if (const auto kinds = object->find("verdicts"); kinds != object->end() && kinds->is_object()) {
    for (const auto& [name, value] : sample.rewards) sample.kinds[name] = text_of(*kinds, name.c_str(), kNameBytes);
  }
  return sample;
}

/// Goes on near the end, so that a long file costs no more than a short one. The line there is a part of one, which is no sample.
void skip_to_tail(std::ifstream& file) {
  const std::streamoff here = file.tellg();
  file.seekg(0, std::ios::end);
  const std::streamoff end = file.tellg();
  file.seekg(std::max(here, end - kTailBytes));
}

void read_completions(const fs::path& path, Run& run) {
  std::ifstream file(path);
  std::deque<std::string> tail;
  bool in_first_step = true;
  for (std::string line; std::getline(file, line);) {
    if (in_first_step) {
      if (auto sample = sample_of(line)) {
        in_first_step = run.early.empty() || run.early.front().step == sample->step;
        if (in_first_step && run.early.size() < kSamplesShown) run.early.push_back(std::move(*sample));
      }
      if (!in_first_step) skip_to_tail(file);
    }
    tail.push_back(std::move(line));
    if (tail.size() > kLinesKept) tail.pop_front();
  }
  std::vector<Sample> last;
  for (const auto& line : tail) {
    auto sample = sample_of(line);
    if (!sample || sample->step == run.early.front().step) continue;
    if (!last.empty() && last.front().step != sample->step) last.clear();
    if (last.size() < kSamplesShown) last.push_back(std::move(*sample));
  }
  run.late = std::move(last);
}

void read_changes(const fs::path& path, Run& run) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && run.changes.size() < kChangesShown;) {
    const auto object = object_of(line);
    if (!object) continue;
    run.changes.push_back({.step = (*object)["step"].get<double>(),
                           .key = text_of(*object, "key", kNameBytes),
                           .was = text_of(*object, "was", kNameBytes),
                           .now = text_of(*object, "now", kNameBytes)});
  }
}

std::string read_start(const fs::path& path, size_t bytes) {
  std::ifstream file(path);
  std::string text(bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return shortened(text, bytes);
}

double number_of(const ordered_json& object, const char* key) {
  const auto it = object.find(key);
  const bool is_number = it != object.end() && it->is_number() && std::abs(it->get<double>()) < kLargestStep;
  return is_number ? it->get<double>() : 0.0;
}

/// Calls `take` with the objects of the list `key`, the first so many.
template <class Take>
void for_each_object(const ordered_json& object, const char* key, const Take& take) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array()) return;
  for (size_t i = 0; i < std::min(it->size(), kVerdictsShown); ++i) {
    if ((*it)[i].is_object()) take((*it)[i]);
  }
}

void read_verdicts(const fs::path& path, Run& run) {
  const ordered_json object = try_parse_json<ordered_json>(read_start(path, kVerdictsBytes));
  if (!object.is_object()) return;
  for_each_object(object, "unreadable_golds", [&run](const ordered_json& one) {
    UnreadableGolds& golds = run.unreadable.emplace_back();
    golds.function = text_of(one, "function", kNameBytes);
    golds.data = text_of(one, "data", kNameBytes);
    golds.problems = number_of(one, "problems");
    golds.unreadable = number_of(one, "unreadable");
    for_each_object(one, "examples", [&golds](const ordered_json& example) {
      golds.examples.push_back({.problem = number_of(example, "problem"),
                                .gold = text_of(example, "gold", kAnswerBytes),
                                .reason = text_of(example, "reason", kAnswerBytes)});
    });
  });
  for_each_object(object, "near_misses", [&run](const ordered_json& one) {
    run.near_misses.push_back({.function = text_of(one, "function", kNameBytes),
                               .gold = text_of(one, "gold", kAnswerBytes),
                               .given = text_of(one, "given", kAnswerBytes),
                               .reason = text_of(one, "reason", kAnswerBytes),
                               .problem = number_of(one, "problem"),
                               .count = number_of(one, "count"),
                               .first_step = number_of(one, "first_step"),
                               .last_step = number_of(one, "last_step")});
  });
}

}  // namespace

const Series& Run::of(std::string_view metric) const {
  static const Series none;
  const auto it = series.find(metric);
  return it == series.end() ? none : it->second;
}

std::string_view kind_of(const Run& run) {
  if (!run.of("reward").empty() || !run.of("tokens/generated").empty()) return "Reinforcement learning";  // rewards may all be undefined
  if (!run.of("rewards/chosen").empty()) return "Direct preference optimisation";
  if (!run.of("rewards/margins").empty()) return "Reward model";
  return "Supervised fine-tuning";
}

std::string run_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return shortened((whole.has_filename() ? whole : whole.parent_path()).filename().string(), kNameBytes);
}

Run read_figures(const fs::path& folder) {
  Run run;
  read_metrics(folder / "metrics.jsonl", run);
  return run;
}

Run read_run(const fs::path& folder) {
  Run run = read_figures(folder);
  read_completions(folder / "completions.jsonl", run);
  read_changes(folder / "changes.jsonl", run);
  read_verdicts(folder / "verdicts.json", run);
  run.config = read_start(folder / "config.json", kConfigBytes);
  run.name = run_name(folder);
  return run;
}

}  // namespace grpo::report
