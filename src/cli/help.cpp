#include "cli/help.h"

#include <memory>
#include <sstream>
#include <vector>

#include "core/display_width.h"
#include "grpo/core/nearest.h"

namespace grpo::cli {
namespace {

constexpr size_t kLeft = 32, kRight = 88;  // columns of names and of descriptions

std::string wrapped(const std::string& text, size_t most) {
  std::istringstream words(text);
  std::string lines;
  size_t used = 0;
  for (std::string word; words >> word;) {
    const size_t columns = display_width(word);
    const bool fits = used + 1 + columns <= most;
    if (used > 0) lines += fits ? " " : "\n";
    used = used > 0 && fits ? used + 1 + columns : columns;
    lines += word;
  }
  return lines;
}

/// Types without the names of what checks them, defaults in brackets.
class PlainFormatter : public CLI::Formatter {
 public:
  PlainFormatter() { column_width(kLeft); }

  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_type_size() == 0) return text;
    const std::string type = option->get_type_name(), initial = option->get_default_str();
    text = " " + type.substr(0, type.find_first_of(":{("));
    if (!option->get_required() && !initial.empty() && initial != "[]" && initial != "{}")
      text += " [" + (initial.front() == '[' ? initial.substr(1, initial.size() - 2) : initial) + "]";
    if (option->get_expected_max() > 1) text += " ...";
    if (option->get_required()) text += " (required)";
    return text;
  }
  std::string make_option_desc(const CLI::Option* option) const override { return wrapped(option->get_description(), kRight); }
};

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names;
}

}  // namespace

void use_plain_help(CLI::App& app) {
  app.formatter(std::make_shared<PlainFormatter>());
  app.option_defaults()->always_capture_default();
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  std::string name = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  const std::string help = "; " + name + " --help says what there is";
  const std::vector<std::string> rest = command->remaining();
  for (const std::string& word : rest) {  // an unknown word is told first: it may be why another one is missing
    const std::string got = "[" + name + "] expected ";
    if (word.starts_with("-") && word.size() > 1) {
      const std::string option = word.substr(0, word.find('='));
      return got + "known options; got '" + option + "'" + did_you_mean(option, option_names(*command)) + help;
    }
    const std::vector<std::string> commands = command_names(*command);
    if (!commands.empty()) return got + "a command; got '" + word + "'" + did_you_mean(word, commands) + help;
  }
  return "[" + name + "] " + error.what() + help;
}

}  // namespace grpo::cli
