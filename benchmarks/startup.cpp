// From the start of `grpo generate` to the first byte of sampled text on its standard output, over several starts. One line of JSON.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "support/measure.h"

extern char** environ;

namespace {

struct Arguments {
  std::string program, model, prompt = "What is 2+2?";
  int repetitions = 7;
};

/// Starts the program with a pipe as its standard output; gives the pipe's reading end.
int start(const std::vector<std::string>& command, pid_t& child) {
  int ends[2];
  GRPO_CHECK(pipe2(ends, O_CLOEXEC) == 0, "startup", "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write to them
  argv.push_back(nullptr);
  const int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  GRPO_CHECK(error == 0, "startup", "cannot start " + command.front());
  return ends[0];
}

double seconds_to_first_byte(const std::vector<std::string>& command) {
  const grpo::bench::Stopwatch watch;
  pid_t child = 0;
  const int output = start(command, child);
  char byte = 0;
  const ssize_t count = read(output, &byte, 1);
  const double seconds = watch.wall();
  close(output);
  waitpid(child, nullptr, 0);  // a program whose reader is gone may fail
  GRPO_CHECK(count == 1, "startup", command.front() + " wrote nothing");
  return seconds;
}

void run(const Arguments& a) {
  const std::vector<std::string> command = {a.program, "generate", "--model", a.model, "--prompt", a.prompt, "--max-completion-length",
                                            "8"};
  std::vector<double> seconds;
  for (int i = 0; i < a.repetitions; ++i) seconds.push_back(seconds_to_first_byte(command));
  std::sort(seconds.begin(), seconds.end());
  grpo::bench::print({{"work", "startup"},
                      {"model", a.model},
                      {"starts", a.repetitions},
                      {"first_token_s_min", seconds.front()},
                      {"first_token_s_median", seconds[seconds.size() / 2]},
                      {"first_token_s_max", seconds.back()}});
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("Times a start of the grpo program");
  app.add_option("--program", a.program, "The grpo program")->required();
  app.add_option("--model", a.model, "Model folder with its tokenizer")->required();
  app.add_option("--prompt", a.prompt, "Prompt");
  app.add_option("--repetitions", a.repetitions, "Starts");
  CLI11_PARSE(app, argc, argv);
  return grpo::bench::run_program([&a] { run(a); });
}
