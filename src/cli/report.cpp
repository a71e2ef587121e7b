#include "report/report.h"

#include <iostream>
#include <memory>

#include "cli/commands.h"

namespace grpo::cli {

void add_report(CLI::App& app) {
  auto* sub = app.add_subcommand("report", "One self-contained HTML page of a run: curves, lengths, samples");
  auto run = std::make_shared<std::string>();
  sub->add_option("run", *run, "The run's folder")->required();
  sub->callback([run] {
    write_report(*run);
    std::cout << *run << "/report.html\n";
  });
}

}  // namespace grpo::cli
