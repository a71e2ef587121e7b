#include <omp.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/json.h"
#include "dispatch.h"
#include "grpo/dist/communicator.h"
#include "grpo/trainer/config.h"
#include "grpo/version.h"
#include "ops/ops.h"

namespace grpo::cli {
namespace {

void print_info(const Registry& registry) {
  nlohmann::ordered_json parts = nlohmann::ordered_json::object();
  for (const PartTable& table : registry.names()) parts[table.kind] = table.names;
  nlohmann::ordered_json isas = nlohmann::ordered_json::array();
  for (const auto& table : kernels::available_cpu_kernels()) isas.push_back(table.isa);
  const nlohmann::ordered_json answer = {{"version", version()},
                                         {"torch", GRPO_TORCH_VERSION},
                                         {"compiler", __VERSION__},
                                         {"threads", omp_get_max_threads()},
                                         {"cpu_kernels", isas},
                                         {"devices", ops::device_names()},
                                         {"communication", communication_backends()},
                                         {"parts", parts}};
  std::cout << to_text(answer) << "\n";
}

/// configs/README.md: every option of `grpo train` and `grpo sft` and every objective, from the code.
void print_options() {
  const auto objectives = objective_table();
  std::cout << "# Options\n\nWritten by `grpo info --options`; a test compares. Short names (TRL's flat keys), and what its other names "
               "are here, stand at the end.\n\n"
            << markdown_reference<Config>() << "\n## Objectives\n"
            << markdown_table("`objective`", objectives, AlgorithmSection{}.objective) << "\n"
            << objective_reference() << "\n## Short names\n\n| short | option |\n|---|---|\n";
  for (const auto& [name, target] : config_aliases()) std::cout << "| `" << name << "` | `" << target << "` |\n";
  std::cout << "\n## Other names of TRL and transformers\n\nThey are answered so; values that say what happens anyway are taken.\n\n"
            << foreign_reference();
}

}  // namespace

void add_info(CLI::App& app, const Registry& registry) {
  auto* sub = app.add_subcommand("info", "Version, build, devices and back ends, as one JSON line");
  auto options = std::make_shared<bool>(false);
  auto schema = std::make_shared<bool>(false);
  sub->add_flag("--options", *options, "Print the reference of all config options (Markdown)");
  sub->add_flag("--schema", *schema, "Print the JSON schema of config files, for editors");
  sub->callback([options, schema, &registry] {
    if (*options) {
      print_options();
    } else if (*schema) {
      std::cout << json_schema<Config>(config_aliases(), registry.names()) << "\n";
    } else {
      print_info(registry);
    }
  });
}

}  // namespace grpo::cli
