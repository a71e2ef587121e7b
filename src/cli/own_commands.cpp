#include "cli/commands.h"
#include "grpo/core/error.h"

namespace grpo::cli {

void add_own_commands(CLI::App& app, const Registry& registry, int& status) {
  for (const auto& [name, command] : registry.commands) {
    if (!app.get_subcommands([&name = name](const CLI::App* other) { return other->get_name() == name; }).empty())
      fail_usage("command", "expected a new name; got '" + name + "', which is a command of the program");
    auto* sub = app.add_subcommand(name, command.about);
    sub->set_help_flag();  // --help too is for the command
    sub->prefix_command();
    sub->callback([sub, &run = command.run, &status] { status = run(sub->remaining()); });
  }
}

}  // namespace grpo::cli
