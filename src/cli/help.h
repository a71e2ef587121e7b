#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace grpo::cli {

/// Has --help of the program and of all commands that are added later show types, choices and defaults as plain words.
void use_plain_help(CLI::App& app);

/// What is wrong with a command line that does not parse, with the nearest valid name of an unknown command or option.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace grpo::cli
