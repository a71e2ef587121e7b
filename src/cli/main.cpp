#include "grpo/cli/main.h"

#include <csignal>
#include <cstdio>
#include <exception>

#include "cli/commands.h"
#include "core/descriptors.h"
#include "grpo/core/error.h"

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

}  // namespace

int main(int argc, char** argv, const Registry& registry) {
  CLI::App app{"libgrpo: reinforcement learning of reasoning language models"};
  app.require_subcommand(1);
  app.fallthrough(false);
  app.footer("Exit status: 0 success, 1 failure, 2 bad command line or configuration, 75 stopped by a signal: continue with --resume");
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a reader of the output that goes away ends no work; writing then fails
  try {
    cli::add_train(app, registry);
    cli::add_eval(app, registry);
    cli::add_generate(app);
    cli::add_tokenize(app);
    cli::add_chat_template(app);
    cli::add_score(app, registry);
    cli::add_logprobs(app);
    cli::add_convert(app);
    cli::add_report(app);
    cli::add_checkpoint(app);
    cli::add_info(app);
    app.parse(argc, argv);
    std::fflush(stdout);
    return std::ferror(stdout) != 0 ? 1 : 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    std::fprintf(stderr, "grpo: %s\n", error.what());
    return exit_status(error.kind());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "grpo: %s\n", error.what());
    return 1;
  } catch (...) {
    std::fprintf(stderr, "grpo: an exception that is no std::exception was thrown\n");
    return 1;
  }
}

}  // namespace grpo
