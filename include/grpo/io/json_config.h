#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/api.h"
#include "grpo/core/config.h"

/// The JSON side of described structs: any C with `void describe(ConfigVisitor&, C&)`, found beside C, can be read, printed and documented.
namespace GRPO_API grpo {

/// Short names of options: "beta" → "algorithm.beta". They serve as `--beta=0.1` and as top-level keys of files.
using ConfigAliases = std::map<std::string, std::string, std::less<>>;

/// A name from the configs of other programs.
struct ForeignName {
  std::string name;    // with * at its end: all names that begin so, unless they have a row of their own
  std::string answer;  // where it is no option here: what to do instead, a sentence
  /// Values, as JSON texts, that mean something else here: what they are in our words, or empty if they say what happens anyway.
  std::map<std::string, std::string> values = {};
};
using ForeignNames = std::vector<ForeignName>;

/// The row of that name, or nullptr.
const ForeignName* find_foreign(const ForeignNames& names, std::string_view key);

/// "expected the name of a reward; got 'acuracy' (did you mean 'accuracy'?)". Where another kind of part has that name, the hint is the
/// option that takes it.
std::string unknown_part(const PartTables& tables, std::string_view kind, std::string_view name);

/// The settings that files and a command line give, merged in the order of the calls: objects key by key, an empty object clears what was
/// said before, anything else replaces it.
///
/// Files are JSON with // and /* */ comments. Duplicate keys, trailing commas, NaN, integers beyond 64 bits, bad UTF-8, more than 64
/// levels, 4096 keys in an object or 1 MiB are errors, and so is an option given both by its short name and in its place in one file. All
/// errors are usage Errors that begin with "file:line: ".
class ConfigSource {
 public:
  explicit ConfigSource(ConfigAliases aliases = {}, ForeignNames foreign = {});
  ConfigSource(ConfigSource&&) noexcept;
  ConfigSource& operator=(ConfigSource&&) noexcept;
  ~ConfigSource();

  /// The parts that there are: names of others are then faults of the config. Without, whoever makes the parts finds them.
  void know(PartTables parts);
  /// Paths in the file are relative to its folder.
  void add_file(const std::filesystem::path& file);
  /// The text of a file, which messages call `name`.
  void add_text(std::string_view json, const std::string& name, const std::filesystem::path& folder = ".");
  /// "--section.key=value" or "section.key=value", short names too. The value is JSON if it parses as such and a string otherwise; an
  /// option that is a string takes it as it stands. Paths are relative to the current folder. "reward[1].weight=2" changes an element of a
  /// list that an earlier file gave, or adds one behind its last.
  void add_override(std::string_view argument);

 private:
  struct Impl;
  friend void read_described(const ConfigSource& source, const std::function<void(ConfigVisitor&)>& describe_all);
  std::unique_ptr<Impl> impl_;
};

/// What the templates below call. `describe_all` describes one config to the visitor that it gets.
void read_described(const ConfigSource& source, const std::function<void(ConfigVisitor&)>& describe_all);
void read_described(std::string_view where, const NamedOptions& options, const std::function<void(ConfigVisitor&)>& describe_all);
std::string write_described(const std::function<void(ConfigVisitor&)>& describe_all);
std::map<std::string, std::string> values_described(const std::function<void(ConfigVisitor&)>& describe_all);
std::string markdown_described(const std::function<void(ConfigVisitor&)>& describe_all);
std::string schema_described(const std::function<void(ConfigVisitor&)>& describe_all, const ConfigAliases& aliases,
                             const PartTables& parts);

/// Sets what `source` gives and leaves the rest of `config` as it is; a list or the free options of a struct are replaced whole.
///
/// Throws one usage Error with a line for each fault, in the order of the files:
/// "config.json:12: optim.learing_rate: unknown option (did you mean 'learning_rate'?)". Faults are unknown keys, values of another type,
/// numbers out of range, words that are no choice. null is for optional numbers only; an integer may be written 1e3; paths become absolute.
template <class C>
void read_config(const ConfigSource& source, C& config) {
  read_described(source, [&](ConfigVisitor& visitor) { describe(visitor, config); });
}

/// `config` as JSON that reads back equal; relative paths are printed absolute, so that the text means the same wherever it is kept.
/// Throws Error for NaN, infinities and bad UTF-8.
template <class C>
std::string write_config(const C& config) {
  C copy = config;
  return write_described([&](ConfigVisitor& visitor) { describe(visitor, copy); });
}

/// Every option by its dotted name ("optim.learning_rate", "reward.0.weight"), its value as JSON text. Options that are paths are left out:
/// the same contents may lie elsewhere.
template <class C>
std::map<std::string, std::string> option_values(const C& config) {
  C copy = config;
  return values_described([&](ConfigVisitor& visitor) { describe(visitor, copy); });
}

/// The reference of all options with their defaults: a Markdown table "option | type | default | meaning" and a heading for each section.
template <class C>
std::string markdown_reference() {
  C defaults{};
  return markdown_described([&](ConfigVisitor& visitor) { describe(visitor, defaults); });
}

/// The JSON schema (draft 2020-12) of C's files, for editors; short names stand at its top level, names of parts are examples.
template <class C>
std::string json_schema(const ConfigAliases& aliases = {}, const PartTables& parts = {}) {
  C defaults{};
  return schema_described([&](ConfigVisitor& visitor) { describe(visitor, defaults); }, aliases, parts);
}

}  // namespace grpo
