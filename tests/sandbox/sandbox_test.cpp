// Foreign programs: what they are given, how they end, and escapes tried one by one.
#include "grpo/sandbox/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "support/errors.h"

namespace grpo {

void PrintTo(SandboxKind kind, std::ostream* out) { *out << (kind == SandboxKind::kBubblewrap ? "Bubblewrap" : "Rlimits"); }

namespace {

namespace fs = std::filesystem;

SandboxCommand python(const std::string& program, const std::string& input = "") {
  return {.arguments = {"python3", "-c", program}, .input = input};
}

size_t open_descriptors() { return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator())); }

/// A pipe whose writing end goes to a program: it ends once no process has it any more.
struct Lifeline {
  Lifeline() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Lifeline() {
    ::close(ends[0]);
    let_go();
  }
  void let_go() {
    if (ends[1] >= 0) ::close(std::exchange(ends[1], -1));
  }
  /// Whether no process has the other end, now or after so long.
  bool all_gone(int milliseconds = 0) {
    let_go();
    pollfd event{ends[0], POLLIN, 0};
    char bytes[64];
    while (::poll(&event, 1, milliseconds) == 1) {
      if (::read(ends[0], bytes, sizeof bytes) <= 0) return true;
    }
    return false;
  }
  std::array<int, 2> ends{};
};

class SandboxOfKind : public ::testing::TestWithParam<SandboxKind> {
 protected:
  void SetUp() override {
    try {
      sandbox.emplace(GetParam());
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  bool namespaces() const { return GetParam() == SandboxKind::kBubblewrap; }
  SandboxResult run(const std::string& program, const SandboxLimits& limits = {}) const { return sandbox->run(python(program), limits); }

  std::optional<Sandbox> sandbox;
};

INSTANTIATE_TEST_SUITE_P(Kinds, SandboxOfKind, ::testing::Values(SandboxKind::kBubblewrap, SandboxKind::kRlimits),
                         ::testing::PrintToStringParamName());

/// What limits alone do not hold.
class SandboxOfNamespaces : public SandboxOfKind {};

INSTANTIATE_TEST_SUITE_P(Kinds, SandboxOfNamespaces, ::testing::Values(SandboxKind::kBubblewrap), ::testing::PrintToStringParamName());

TEST_P(SandboxOfKind, GivesInputFilesAndAWorkingFolder) {
  SandboxCommand command{.arguments = {"python3", "program.py", "a b", "$HOME"}, .input = "two\nlines\n"};
  command.files = {{"program.py",
                    "import os, sys\n"
                    "print(sys.argv[1:], sys.stdin.read(), sorted(os.listdir()), open('data').read())\n"
                    "open('written', 'w').write('x')\n"
                    "print(open(os.environ['HOME'] + '/written').read(), sorted(os.environ), file=sys.stderr)\n"
                    "sys.exit(3)"},
                   {"data", "d\xc3\xa4ta"}};
  const SandboxResult result = sandbox->run(command);
  EXPECT_EQ(to_text(result), "exit status 3") << result.err;
  EXPECT_EQ(result.out, "['a b', '$HOME'] two\nlines\n ['data', 'program.py'] d\xc3\xa4ta\n");
  EXPECT_EQ(result.err.substr(0, 3), "x [");
  EXPECT_EQ(result.err.find("GRPO"), std::string::npos) << result.err;
  EXPECT_EQ(sandbox->run(python("print(open('/dev/stdin').read())", "in")).out, "in\n");
}

TEST_P(SandboxOfKind, TellsItsEndsApart) {
  SandboxLimits quick;
  quick.timeout = 1.0;
  const std::vector<std::tuple<std::string, SandboxEnd, int>> table{
      {"pass", SandboxEnd::kExited, 0},
      {"import os; os._exit(7)", SandboxEnd::kExited, 7},
      {"import os; os.abort()", SandboxEnd::kSignal, SIGABRT},
      {"import os; os.kill(os.getpid(), 9)", SandboxEnd::kSignal, SIGKILL},
      {"import time; time.sleep(1000)", SandboxEnd::kTimeout, 0},
      {"while True: pass", SandboxEnd::kTimeout, 0},
      {"import signal, time\nfor s in (1, 2, 3, 10, 12, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(1000)", SandboxEnd::kTimeout, 0},
      {"while True: print('x' * 1000)", SandboxEnd::kOutput, 0},
      {"import sys\nwhile True: sys.stderr.write('x' * 1000)", SandboxEnd::kOutput, 0},
  };
  for (const auto& [program, end, status] : table) {
    const SandboxResult result = run(program, quick);
    EXPECT_EQ(result.end, end) << program << ": " << to_text(result) << result.err.substr(0, 500);
    EXPECT_EQ(result.status, status) << program;
    EXPECT_LE(std::max(result.out.size(), result.err.size()), static_cast<size_t>(quick.output)) << program;
  }
}

TEST_P(SandboxOfKind, AFloodIsCutAtItsLimit) {
  SandboxLimits limits;
  limits.output = 1000;
  EXPECT_EQ(run("print('x' * 998)", limits).out, std::string(998, 'x') + "\n");
  const SandboxResult exact = run("print('x' * 999)", limits), more = run("print('x' * 1000)", limits);
  EXPECT_EQ(exact.end, SandboxEnd::kExited);
  EXPECT_EQ(more.end, SandboxEnd::kOutput) << "the byte behind it, of a program that has ended";
  EXPECT_EQ(more.out, std::string(1000, 'x'));
}

TEST_P(SandboxOfKind, RefusesWhatItCannotStart) {
  EXPECT_THROW(sandbox->run(SandboxCommand{}), Error);
  EXPECT_THROW(sandbox->run({.arguments = {"true"}, .input = "", .files = {{"../x", ""}}}), Error);
  SandboxLimits none;
  none.timeout = 0;
  EXPECT_THROW(sandbox->run({.arguments = {"true"}}, none), Error);
  if (namespaces()) {
    EXPECT_EQ(sandbox->run({.arguments = {"no_such_program"}}).status, 127);
  } else {
    EXPECT_NE(testing::message_of([&] { sandbox->run({.arguments = {"no_such_program"}}); }).find("no_such_program"), std::string::npos);
  }
}

TEST_P(SandboxOfKind, EscapeMemory) {
  const SandboxResult result = run("x = bytearray(4 << 30)");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("MemoryError"), std::string::npos) << result.err;
}

TEST_P(SandboxOfKind, EscapeLargeFile) {
  SandboxLimits limits;
  limits.files = 1 << 20;
  const SandboxResult one = run("f = open('f', 'wb')\nwhile True: f.write(b'x' * 65536); f.flush()", limits);
  EXPECT_NE(one.err.find("File too large"), std::string::npos) << to_text(one) << one.err;
  if (!namespaces()) return;
  const SandboxResult many = run("for i in range(64): open(str(i), 'wb').write(b'x' * 65536)", limits);
  EXPECT_NE(many.err.find("No space left"), std::string::npos) << many.err;
}

TEST_P(SandboxOfKind, EscapeForkBomb) {
  Lifeline lifeline;
  SandboxCommand command = python(
      "import os, time\n"
      "made = 0\n"
      "try:\n"
      "  while made < 100:\n"
      "    if os.fork() == 0:\n"
      "      os.setsid()\n"
      "      while True:\n"
      "        try: os.fork()\n"
      "        except OSError: time.sleep(0.01)\n"
      "    made += 1\n"
      "except OSError: pass\n"
      "print(made)\n"
      "time.sleep(0.2)");
  command.descriptors = {std::exchange(lifeline.ends[1], -1)};
  const SandboxResult result = sandbox->run(command);
  EXPECT_EQ(to_text(result), "exit status 0") << result.err;
  EXPECT_LE(std::atoi(result.out.c_str()), namespaces() ? 15 : 60) << "without namespaces what else the user runs counts too, and ends";
  EXPECT_TRUE(lifeline.all_gone());
}

TEST_P(SandboxOfKind, EscapeDaemonisedChild) {
  for (const std::string end : {"", "time.sleep(1000)", "os.abort()"}) {
    Lifeline lifeline;
    SandboxCommand command = python(
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "  os.setsid()\n"
        "  if os.fork() == 0:\n"
        "    for i in range(3):\n"
        "      try: os.close(i)\n"
        "      except OSError: pass\n"
        "    for s in range(1, 30):\n"
        "      try: signal.signal(s, signal.SIG_IGN)\n"
        "      except (OSError, ValueError): pass\n"
        "    os.write(3, b'alive')\n"
        "    time.sleep(1000)\n"
        "  os._exit(0)\n"
        "os.wait()\n" +
        end);
    command.descriptors = {std::exchange(lifeline.ends[1], -1)};
    SandboxLimits limits;
    limits.timeout = 1.0;
    sandbox->run(command, limits);
    EXPECT_TRUE(lifeline.all_gone()) << end;
  }
}

TEST_P(SandboxOfKind, EscapeSignalToTheParent) {
  if (!namespaces() && ::geteuid() != 0) GTEST_SKIP() << "without namespaces only a root's programs, which run as nobody, are held";
  const std::string self = std::to_string(::getpid()), group = std::to_string(::getpgrp());
  const SandboxResult result =
      run("import os\n"
          "for target in (" +
          self + ", -" + group +
          "):\n"
          "  try: os.kill(target, 9)\n"
          "  except OSError as error: print('held')\n");
  EXPECT_EQ(result.out, "held\nheld\n") << result.err;
  if (!namespaces()) return;
  EXPECT_EQ(run("import os\nos.kill(os.getppid(), 9)\nprint('lives')\nos.kill(-1, 9)").out, "lives\n");
}

TEST_P(SandboxOfKind, EscapeByADescriptorOfTheParents) {
  const std::string path = ::testing::TempDir() + "descriptor-" + std::to_string(::getpid());
  const int held = ::open(path.c_str(), O_CREAT | O_RDWR, 0666);                                             // without O_CLOEXEC
  const SandboxResult result = run("import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])");  // the last one lists them
  ::close(held);
  fs::remove(path);
  EXPECT_EQ(result.out, "[0, 1, 2]\n") << result.err;
}

TEST_P(SandboxOfNamespaces, EscapeToFilesOutside) {
  const fs::path folder = fs::path(::testing::TempDir()) / ("outside-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  fs::permissions(folder, fs::perms::all);
  std::ofstream(folder / "secret") << "42";
  const SandboxResult result =
      run("import os\n"
          "def attempt(action):\n"
          "  try: return str(action())\n"
          "  except OSError as error: return type(error).__name__\n"
          "print(attempt(lambda: open('" +
          (folder / "secret").string() +
          "').read()))\n"
          "print(attempt(lambda: open('" +
          (folder / "written").string() +
          "', 'w')))\n"
          "print(attempt(lambda: open('/etc/passwd').read()))\n"
          "print(attempt(lambda: os.listdir('/root')), attempt(lambda: os.listdir('/home')))\n"
          "print(attempt(lambda: open('/usr/x', 'w')), attempt(lambda: open('/x', 'w')))\n"
          "print(attempt(lambda: open('/dev/shm/x', 'w')), attempt(lambda: open('/proc/sys/kernel/core_pattern', 'w')))\n"
          "print(attempt(lambda: open('/proc/" +
          std::to_string(::getpid()) +
          "/environ').read()))\n"
          "print(attempt(lambda: os.chroot('/usr')), os.getuid() != 0)\n");
  EXPECT_EQ(result.out,
            "FileNotFoundError\nFileNotFoundError\nFileNotFoundError\nFileNotFoundError FileNotFoundError\nOSError OSError\nOSError "
            "PermissionError\nFileNotFoundError\nPermissionError True\n")
      << result.err;
  EXPECT_FALSE(fs::exists(folder / "written"));
  Sandbox with(SandboxKind::kBubblewrap, {folder.string()});
  EXPECT_EQ(with.run(python("print(open('" + (folder / "secret").string() + "').read())")).out, "42\n");
  EXPECT_EQ(with.run(python("open('" + (folder / "secret").string() + "', 'w')")).status, 1);
  fs::remove_all(folder);
}

TEST_P(SandboxOfNamespaces, EscapeByNetwork) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string program = "import socket\nsocket.create_connection(('127.0.0.1', " + std::to_string(ntohs(address.sin_port)) + "))";
  EXPECT_EQ(run(program).status, 1);
  EXPECT_EQ(Sandbox(SandboxKind::kRlimits).run(python(program)).status, 0) << "there was something to connect to";
  EXPECT_EQ(run("import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=5)").status, 1);
  ::close(listener);
}

TEST_P(SandboxOfNamespaces, EscapeByNamespacesOfItsOwn) {
  const SandboxResult result =
      run("import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
          "print(libc.unshare(0x10000000), libc.setuid(0), libc.mount(b'none', b'/work', b'tmpfs', 0, None))");
  EXPECT_EQ(result.out, "-1 -1 -1\n") << result.err;
}

TEST_P(SandboxOfKind, ProgramsThatTalkRunSideBySideUntilTheFirstIsOver) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const std::string talk = "import socket\nother = socket.socket(fileno=3)\n";
  std::vector<SandboxCommand> both{python(talk + "other.send(b'ping')\nprint(other.recv(10))"),
                                   python(talk + "print(other.recv(10), flush=True)\nother.send(b'pong')\nwhile True: pass")};
  both[0].descriptors = {ends[0]};
  both[1].descriptors = {ends[1]};
  const auto results = sandbox->run(both);
  EXPECT_EQ(results[0].out, "b'pong'\n") << results[0].err;
  EXPECT_EQ(results[1].out, "b'ping'\n") << results[1].err;
  EXPECT_EQ(results[1].end, SandboxEnd::kStopped);
}

TEST_P(SandboxOfKind, AProgramSeesTheEndOfTheOneItTalksTo) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  std::vector<SandboxCommand> both{python("import socket\nprint(socket.socket(fileno=3).recv(10))"), python("pass")};
  both[0].descriptors = {ends[0]};
  both[1].descriptors = {ends[1]};
  EXPECT_EQ(sandbox->run(both)[0].out, "b''\n");
}

TEST_P(SandboxOfKind, LeavesNothingBehind) {
  const fs::path temporary = fs::path(::testing::TempDir()) / ("sandbox-" + std::to_string(::getpid()));
  fs::create_directories(temporary);
  ::setenv("TMPDIR", temporary.c_str(), 1);
  sandbox.reset();
  const size_t before = open_descriptors();
  {
    Sandbox own(GetParam());
    const size_t with_server = open_descriptors();
    SandboxLimits limits;
    limits.timeout = 0.2;
    for (const std::string program : {"open('x', 'w')", "while True: pass", "import os\nos.mkdir('d')\nos.chmod('d', 0)\nos.abort()"}) {
      own.run({.arguments = {"python3", "-c", program}, .input = "x", .files = {{"f", "y"}}}, limits);
      EXPECT_EQ(open_descriptors(), with_server) << program;
    }
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left, and no zombie";
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(fs::is_empty(temporary));
  fs::remove(temporary);
}

TEST_P(SandboxOfKind, EndsWithItsProgram) {
  Lifeline lifeline;
  const pid_t owner = ::fork();
  if (owner == 0) {
    Sandbox own(GetParam());
    SandboxCommand command = python("import os, time\nif os.fork() == 0: os.setsid()\nos.write(3, b'x')\ntime.sleep(1000)");
    command.descriptors = {std::exchange(lifeline.ends[1], -1)};
    SandboxLimits limits;
    limits.timeout = 1000;
    own.run(command, limits);
    ::_exit(0);
  }
  lifeline.let_go();
  char byte = 0;
  EXPECT_EQ(::read(lifeline.ends[0], &byte, 1), 1);  // it runs
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  EXPECT_TRUE(lifeline.all_gone(60000));
}

TEST_P(SandboxOfKind, WorksFromManyThreads) {
  std::vector<std::thread> threads;
  std::vector<std::string> outputs(8);
  for (size_t i = 0; i < outputs.size(); ++i)
    threads.emplace_back([&, i] { outputs[i] = run("print(" + std::to_string(i) + " ** 2)").out; });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(outputs[i], std::to_string(i * i) + "\n");
}

}  // namespace
}  // namespace grpo
