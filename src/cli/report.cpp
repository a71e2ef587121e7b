#include "report/report.h"

#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "core/file_text.h"
#include "grpo/core/error.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"

namespace grpo::cli {
namespace {

struct ReportArguments {
  std::string run;
  bool follow = false;
  int port = 0;
};

void follow(const ReportArguments& arguments) {
  const InterruptGuard until_a_signal(OnSignal::kAbandon, "the page is no longer served");
  const auto listening = [&arguments](const std::string& address, bool waiting) {
    std::cout << address << std::endl;
    if (waiting) log_info("waiting for " + arguments.run + ": nothing is logged there yet");
  };
  follow_report(arguments.run, arguments.port, {.listening = listening, .stopped = [] { return interrupt_requested(); }});
}

}  // namespace

void add_report(CLI::App& app) {
  auto* sub = app.add_subcommand("report", "One self-contained HTML page of a run: curves, lengths, samples");
  auto arguments = std::make_shared<ReportArguments>();
  sub->add_option("run", arguments->run, "The run's folder")->required()->type_name("PATH");
  sub->add_flag("--follow", arguments->follow,
                "Serve the page on this machine alone, print its address and keep it up to date while the run goes on, until a signal");
  sub->add_option("--port", arguments->port, "With --follow: the port; a free one if none is given")->check(CLI::Range(1, 65535));
  sub->callback([arguments] {
    if (arguments->follow) return follow(*arguments);
    if (arguments->port != 0) fail_usage("report", "expected --follow beside --port");
    expect_exists(arguments->run, "report");
    write_report(arguments->run);
    std::cout << arguments->run << "/report.html\n";
  });
}

}  // namespace grpo::cli
