#include "run/fingerprint.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/file_text.h"
#include "core/json.h"
#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "grpo/io/atomic_file.h"

namespace grpo {
namespace {

constexpr auto kFingerprintFile = "fingerprint.json";
constexpr std::string_view kAbsent = "absent";

/// Entries that make a run what it is, and beginnings of their names.
constexpr std::array<std::string_view, 5> kFixed = {"content.", "data.", "model.", "trainer.seed", "algorithm.objective"};
/// Among them, how the model is computed and what it is evaluated on are no part of that.
constexpr std::array<std::string_view, 3> kNotFixed = {"model.device", "model.compute_dtype", "content.eval_data"};

/// Entries that say when a run ends, and what is written of it.
constexpr std::array<std::string_view, 17> kOutsideSteps = {"trainer.max_steps",
                                                            "trainer.num_train_epochs",
                                                            "trainer.max_seconds",
                                                            "trainer.max_num_tokens",
                                                            "trainer.logging_steps",
                                                            "trainer.log_completions",
                                                            "trainer.save_steps",
                                                            "trainer.save_minutes",
                                                            "trainer.save_total_limit",
                                                            "trainer.save_dtype",
                                                            "trainer.ddp_timeout",
                                                            "trainer.report_to",
                                                            "trainer.report_to_options",
                                                            "trainer.per_device_train_batch_size",
                                                            "trainer.gradient_accumulation_steps",
                                                            "trainer.on_signal",
                                                            "eval."};

bool names(std::string_view name, std::string_view key) {
  if (name.ends_with('.')) return key.starts_with(name);
  return key == name || (key.starts_with(name) && key[name.size()] == '.');
}

void expect_known(const std::string& name, const Fingerprint& was, const Fingerprint& now) {
  std::vector<std::string> keys;
  for (const auto* fingerprint : {&was, &now}) {
    for (const auto& [key, value] : *fingerprint) keys.push_back(key);
  }
  if (std::ranges::none_of(keys, [&name](const std::string& key) { return names(name, key); }))
    fail_usage("resume", "expected the name of a setting that may have changed; got '" + name + "'" + did_you_mean(name, keys));
}

}  // namespace

std::vector<Change> changes_between(const Fingerprint& was, const Fingerprint& now) {
  std::vector<Change> changes;
  const auto value = [](const Fingerprint& fingerprint, const std::string& key) {
    const auto found = fingerprint.find(key);
    return found == fingerprint.end() ? std::string(kAbsent) : found->second;
  };
  Fingerprint all = was;
  all.insert(now.begin(), now.end());
  for (const auto& [key, any] : all) {
    Change change{.key = key, .was = value(was, key), .now = value(now, key)};
    if (change.was != change.now) changes.push_back(std::move(change));
  }
  return changes;
}

std::string to_string(const Change& change) { return change.key + ": " + change.was + ", now " + change.now; }

bool is_fixed(std::string_view key) {
  const auto by_key = [key](std::string_view name) { return names(name, key); };
  return std::ranges::any_of(kFixed, by_key) && std::ranges::none_of(kNotFixed, by_key);
}

bool shapes_steps(std::string_view key) {
  return std::ranges::none_of(kOutsideSteps, [key](std::string_view name) { return names(name, key); });
}

std::vector<Change> accepted_changes(const Fingerprint& was, const Fingerprint& now, std::span<const std::string> allowed) {
  for (const auto& name : allowed) expect_known(name, was, now);
  auto changes = changes_between(was, now);
  std::string refused;
  for (const Change& change : changes) {
    const bool may = std::ranges::any_of(allowed, [&change](const std::string& name) { return names(name, change.key); });
    if (is_fixed(change.key) && !may) refused += "\n  " + to_string(change);
  }
  if (!refused.empty())
    fail_usage(
        "resume",
        "expected the run's own settings and contents; got others (a setting that is named as allowed to change is taken all the same):" +
            refused);
  return changes;
}

void append_changes(const std::filesystem::path& run, int64_t step, const std::vector<Change>& changes) {
  AppendFile file(run / "changes.jsonl");
  for (const Change& change : changes)
    file.append_line(to_text(nlohmann::ordered_json{{"step", step}, {"key", change.key}, {"was", change.was}, {"now", change.now}}));
}

void save_fingerprint(const std::filesystem::path& folder, const Fingerprint& fingerprint) {
  write_file_atomically(folder / kFingerprintFile, to_text(nlohmann::json(fingerprint), 2) + "\n");
}

std::optional<Fingerprint> load_fingerprint(const std::filesystem::path& folder) {
  const auto path = folder / kFingerprintFile;
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    return parse_json(file_text(path, "checkpoint")).get<Fingerprint>();
  } catch (const nlohmann::json::exception& error) {
    fail("checkpoint", "expected a JSON object of texts in " + path.string() + "; got: " + error.what());
  }
}

}  // namespace grpo
