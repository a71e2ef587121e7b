// Shell completion, written from the program's own commands and options.
#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/choice.h"
#include "cli/commands.h"

namespace grpo::cli {
namespace {

struct CompletedOption {
  std::string name, help;  // with its dashes
  bool takes_value = false;
  std::vector<std::string> words;  // that the value may be; empty: any
};

struct CompletedCommand {
  std::string path, help;                          // "checkpoint list"; empty: the program
  std::vector<std::string> commands, positionals;  // words of them
  std::vector<CompletedOption> options;
  bool takes_settings = false;  // of a config
};

CompletedOption completed_option(const CLI::Option& option, const std::string& name) {
  return {.name = name, .help = option.get_description(), .takes_value = option.get_expected_min() > 0, .words = words_of(option)};
}

void collect_commands(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>& all) {
  CompletedCommand command{.path = path, .help = app.get_description(), .commands = {}, .positionals = {}, .options = {}};
  for (const CLI::Option* option : app.get_options()) {
    command.takes_settings |= option->get_name(true) == "config";
    if (option->get_positional()) std::ranges::copy(words_of(*option), std::back_inserter(command.positionals));
    for (const std::string& name : option->get_snames()) command.options.push_back(completed_option(*option, "-" + name));
    for (const std::string& name : option->get_lnames()) command.options.push_back(completed_option(*option, "--" + name));
  }
  const auto inner = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : inner) command.commands.push_back(sub->get_name());
  all.push_back(std::move(command));
  for (const CLI::App* sub : inner) collect_commands(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), all);
}

std::string in_one_line(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string option_words(const CompletedCommand& command) {
  std::vector<std::string> names;
  for (const auto& option : command.options) names.push_back(option.name);
  return in_one_line(names);
}

/// "section.key=" for every option of a config.
std::string settings() {
  std::vector<std::string> names;
  for (const auto& [name, value] : option_values(Config{})) names.push_back(name + "=");
  return in_one_line(names);
}

/// Arms of a case statement that follows the words of a command line to the command, kept in $command.
std::string command_arms(const std::vector<CompletedCommand>& all) {
  std::string arms;
  for (const auto& command : all) {
    for (const auto& name : command.commands) {
      arms +=
          "      \"" + command.path + " " + name + "\") command=\"" + (command.path.empty() ? name : command.path + " " + name) + "\" ;;\n";
    }
  }
  return arms;
}

/// `offer` with the words as its end, for every option whose value is one of some words.
std::string value_arms(const std::vector<CompletedCommand>& all, const std::string& offer, const std::string& end) {
  std::string arms;
  for (const auto& command : all) {
    for (const auto& option : command.options) {
      if (!option.words.empty())
        arms += "    \"" + command.path + " " + option.name + "\") " + offer + in_one_line(option.words) + end + " return ;;\n";
    }
  }
  return arms;
}

std::string word_arms(const std::vector<CompletedCommand>& all) {
  std::string arms;
  for (const auto& command : all) {
    arms += "    \"" + command.path + "\") options=\"" + option_words(command) + "\" others=\"" + in_one_line(command.commands) +
            in_one_line(command.positionals) + "\"";
    if (command.takes_settings) arms += " settings=1";
    arms += " ;;\n";
  }
  return arms;
}

void print_bash(const std::vector<CompletedCommand>& all, const std::string& program) {
  std::cout << "# source <(" << program << " completion bash), in ~/.bashrc\n_" << program << R"(() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= options= others= settings= i
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$command ${COMP_WORDS[i]}" in
)" << command_arms(all)
            << R"(    esac
  done
  COMPREPLY=()
  case "$command $prev" in
)" << value_arms(all, "COMPREPLY=($(compgen -W \"", "\" -- \"$cur\"));")
            << R"(  esac
  case $command in
)" << word_arms(all)
            << R"(  esac
  [[ $cur == -* ]] && others=$options
  COMPREPLY=($(compgen -W "$others" -- "$cur"))
  if [[ $settings && -n $cur && $cur != -* ]]; then
    COMPREPLY=($(compgen -W ")"
            << settings() << R"(" -- "$cur"))
    compopt -o nospace 2>/dev/null
  fi
}
complete -o default -F _)"
            << program << " " << program << "\n";
}

void print_zsh(const std::vector<CompletedCommand>& all, const std::string& program) {
  std::cout << "#compdef " << program << "\n# source <(" << program << " completion zsh), in ~/.zshrc after compinit\n_" << program
            << R"(() {
  local command= options= others= settings= word
  for word in "${(@)words[2,CURRENT-1]}"; do
    case "$command $word" in
)" << command_arms(all)
            << R"(    esac
  done
  case "$command ${words[CURRENT-1]}" in
)" << value_arms(all, "compadd -- ", ";")
            << R"(  esac
  case $command in
)" << word_arms(all)
            << R"(  esac
  if [[ $PREFIX == -* ]]; then
    compadd -- ${=options}
  elif [[ -n $others ]]; then
    compadd -- ${=others}
  else
    [[ -n $settings && -n $PREFIX ]] && compadd -S '' -- )"
            << settings() << R"(
    _files
  fi
}
compdef _)" << program
            << " " << program << "\n";
}

std::string fish_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + "'";
}

/// Whether the words so far lead to a command.
std::string fish_condition(const CompletedCommand& command) {
  std::istringstream words(command.path);
  std::string condition;
  for (std::string word; words >> word;) condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
  if (command.commands.empty()) return condition;
  if (!condition.empty()) condition += "; and ";
  return condition + "not __fish_seen_subcommand_from " + in_one_line(command.commands);
}

void print_fish(const std::vector<CompletedCommand>& all, const std::string& program) {
  std::cout << "# " << program << " completion fish | source, in ~/.config/fish/config.fish\n";
  for (const auto& command : all) {
    const std::string line = "complete -c " + program + " -n " + fish_quoted(fish_condition(command));
    for (const auto& words : {command.commands, command.positionals}) {
      if (!words.empty()) std::cout << line << " -f -a " << fish_quoted(in_one_line(words)) << "\n";
    }
    for (const auto& option : command.options) {
      std::cout << line << (option.name.starts_with("--") ? " -l " + option.name.substr(2) : " -s " + option.name.substr(1));
      if (!option.words.empty()) {
        std::cout << " -x -a " << fish_quoted(in_one_line(option.words));
      } else if (option.takes_value) {
        std::cout << " -r";
      }
      std::cout << " -d " << fish_quoted(option.help) << "\n";
    }
    if (command.takes_settings) std::cout << line << " -a " << fish_quoted(settings()) << "\n";
  }
}

}  // namespace

void add_completion(CLI::App& app) {
  auto* sub = app.add_subcommand("completion", "A script that completes commands, options and their words in a shell");
  auto print = std::make_shared<void (*)(const std::vector<CompletedCommand>&, const std::string&)>(print_bash);
  add_choice(*sub, "shell", *print, {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}}, "The shell that reads it")
      ->required();
  sub->callback([&app, print] {
    std::vector<CompletedCommand> all;
    collect_commands(app, "", all);
    (*print)(all, app.get_name());
  });
}

}  // namespace grpo::cli
