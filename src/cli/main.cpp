#include "grpo/cli/main.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "cli/commands.h"
#include "cli/help.h"
#include "core/descriptors.h"
#include "grpo/core/error.h"
#include "grpo/version.h"

namespace grpo {
namespace {

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kFailure:
      return 1;
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kInterrupted:
      return 75;  // EX_TEMPFAIL of sysexits.h: try again
  }
  return 1;
}

std::string program_name(int argc, char** argv) {
  const std::string name = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : std::string();
  return name.empty() ? "grpo" : name;
}

}  // namespace

int main(int argc, char** argv, const Registry& registry) {
  CLI::App app{"libgrpo: reinforcement learning of reasoning language models", program_name(argc, argv)};
  app.require_subcommand(1);
  app.set_version_flag("--version", "grpo " + std::string(version()) + " (LibTorch " GRPO_TORCH_VERSION ")", "Print the version and exit");
  cli::use_plain_help(app);
  app.fallthrough(false);
  app.footer("Exit status: 0 success, 1 failure, 2 bad command line or configuration, 75 stopped by a signal: continue with --resume");
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a reader of the output that goes away ends no work; writing then fails
  try {
    cli::add_train(app, registry);
    cli::add_eval(app, registry);
    cli::add_generate(app, registry);
    cli::add_tokenize(app);
    cli::add_chat_template(app);
    cli::add_score(app, registry);
    cli::add_logprobs(app, registry);
    cli::add_convert(app, registry);
    cli::add_report(app);
    cli::add_checkpoint(app);
    cli::add_init(app);
    cli::add_doctor(app);
    cli::add_info(app, registry);
    cli::add_completion(app);
    int status = 0;
    cli::add_own_commands(app, registry, status);
    app.parse(argc, argv);
    std::fflush(stdout);
    return std::ferror(stdout) != 0 ? 1 : status;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    std::fprintf(stderr, "grpo: %s\n", cli::usage_error(app, error).c_str());
    return 2;
  } catch (const Error& error) {
    std::fprintf(stderr, "grpo: %s\n", error.what());
    return exit_status(error.kind());
  } catch (...) {
    std::fprintf(stderr, "grpo: %s\n", caught_text().c_str());
    return 1;
  }
}

}  // namespace grpo
