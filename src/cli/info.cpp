#include <omp.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "dispatch.h"

namespace grpo::cli {

void add_info(CLI::App& app) {
  auto* sub = app.add_subcommand("info", "Version, build, devices and back ends, as one JSON line");
  sub->callback([] {
    nlohmann::ordered_json isas = nlohmann::ordered_json::array();
    for (const auto& table : kernels::available_cpu_kernels()) isas.push_back(table.isa);
    const nlohmann::ordered_json answer = {{"version", GRPO_VERSION},          {"torch", GRPO_TORCH_VERSION}, {"compiler", __VERSION__},
                                           {"threads", omp_get_max_threads()}, {"cpu_kernels", isas},         {"devices", {"cpu"}}};
    std::cout << answer.dump() << "\n";
  });
}

}  // namespace grpo::cli
