#include "sandbox/program.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "grpo/core/error.h"
#include "sandbox/wire.h"

namespace grpo {
namespace {

void put_texts(WireWriter& writer, const std::vector<std::string>& texts) {
  writer.put(texts.size());
  for (const std::string& text : texts) writer.put(text);
}

std::vector<std::string> read_texts(WireReader& reader) {
  std::vector<std::string> texts(reader.count());
  for (std::string& text : texts) text = reader.text();
  return texts;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

void expect_done(bool done, const char* what) {
  GRPO_CHECK(done, "sandbox", std::string("expected ") + what + "; got " + std::strerror(errno));
}

void number_descriptors(std::span<const int> descriptors) {
  const auto count = static_cast<int>(descriptors.size());
  std::vector<int> aside;
  for (const int descriptor : descriptors) aside.push_back(::fcntl(descriptor, F_DUPFD, count));  // none of these is in another's way
  for (int i = 0; i < count; ++i) expect_done(::dup2(aside[static_cast<size_t>(i)], i) == i, "a descriptor");
  ::close_range(static_cast<unsigned>(count), ~0U, 0);
}

void limit(__rlimit_resource resource, int64_t value) {
  const rlimit both{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  expect_done(::setrlimit(resource, &both) == 0, "a limit to be set");
}

/// How many processes and threads the user of this process has.
int64_t count_tasks() {
  int64_t count = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    std::ifstream in(entry.path() / "status");
    bool mine = false;
    for (std::string word; in >> word;) {
      if (word == "Uid:") in >> word, mine = word == std::to_string(::getuid());
      if (word == "Threads:" && mine && in >> word) count += std::atoll(word.c_str());
    }
  }
  return count;
}

void set_limits(const Program& program) {
  const SandboxLimits& limits = program.limits;
  if (program.kind == SandboxKind::kRlimits) limit(RLIMIT_NPROC, count_tasks() + limits.processes);  // the system counts by user
  limit(RLIMIT_CPU, static_cast<int64_t>(std::ceil(limits.timeout)) + 1);
  limit(RLIMIT_FSIZE, limits.files);
  limit(RLIMIT_NOFILE, limits.open_files);
  limit(RLIMIT_CORE, 0);
}

void leave_root() {
  if (::geteuid() != 0) return;
  expect_done(::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0,
              "to become nobody (root runs no foreign program)");
}

void prepare(const Program& program) {
  ::setenv("PATH", "/usr/bin:/bin", 1);                                                     // where execvpe looks
  if (std::ofstream score("/proc/self/oom_score_adj"); score) score << 1000 << std::flush;  // if memory is short, this goes first
  leave_root();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // forgotten with the change of user
  set_limits(program);
  if (program.kind == SandboxKind::kRlimits) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!program.folder.empty()) expect_done(::chdir(program.folder.c_str()) == 0, "the working folder");
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  limit(RLIMIT_AS, program.limits.memory);  // last: this process may have more already
}

}  // namespace

std::string to_request(const Program& program) {
  WireWriter writer;
  writer.put(static_cast<int>(program.kind));
  put_texts(writer, program.arguments);
  put_texts(writer, program.environment);
  writer.put(program.folder);
  const SandboxLimits& limits = program.limits;
  writer.put(limits.timeout);
  for (const int64_t value : {limits.memory, limits.output, limits.files, limits.processes, limits.open_files}) writer.put(value);
  return writer.bytes();
}

Program program_of(std::string_view request) {
  WireReader reader(request);
  Program program;
  program.kind = static_cast<SandboxKind>(reader.integer());
  program.arguments = read_texts(reader);
  program.environment = read_texts(reader);
  program.folder = reader.text();
  SandboxLimits& limits = program.limits;
  limits.timeout = reader.real();
  for (int64_t* value : {&limits.memory, &limits.output, &limits.files, &limits.processes, &limits.open_files}) *value = reader.integer();
  reader.expect_end();
  return program;
}

int become_program(std::string_view request, std::span<const int> descriptors) {
  Program program = program_of(request);
  number_descriptors(descriptors);
  const auto status = static_cast<int>(descriptors.size()) - 1;
  std::string fault;
  const std::vector<char*> arguments = pointers_to(program.arguments), environment = pointers_to(program.environment);
  try {
    if (program.kind == SandboxKind::kRlimits) ::fcntl(status, F_SETFD, FD_CLOEXEC);
    prepare(program);
    ::execvpe(arguments[0], arguments.data(), environment.data());
    fault = "expected the program " + program.arguments[0] + "; got " + std::strerror(errno);
  } catch (const Error& error) {
    fault = error.what();
  }
  ::dprintf(status, "%s\n", fault.c_str());
  return EXIT_FAILURE;
}

}  // namespace grpo
