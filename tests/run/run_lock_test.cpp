// One writer a run folder. Oracle: the kernel, which gives a lock up with its process.
#include "run/run_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "grpo/core/error.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

fs::path new_run(const std::string& name) {
  fs::path run = fs::path(::testing::TempDir()) / name;
  fs::remove_all(run);
  return run;
}

std::string refusal(const fs::path& run) {
  try {
    const RunLock lock(run);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RunLock, ASecondWriterLearnsWhoHoldsTheFolder) {
  const fs::path run = new_run("lock-second");
  const RunLock lock(run);
  const std::string said = refusal(run);
  EXPECT_NE(said.find("process " + std::to_string(::getpid()) + " on "), std::string::npos) << said;
  EXPECT_NE(said.find(" UTC"), std::string::npos) << said;
  EXPECT_NE(said.find(run.string()), std::string::npos) << said;
}

TEST(RunLock, IsFreeAgainWhenItsOwnerLetsGo) {
  const fs::path run = new_run("lock-free");
  { const RunLock lock(run); }
  EXPECT_EQ(refusal(run), "");
}

TEST(RunLock, IsFreeAgainWhenItsProcessIsKilled) {
  const fs::path run = new_run("lock-killed");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunLock lock(run);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(refusal(run).find("process " + std::to_string(child)), std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(refusal(run), "");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(RunLock, IsNotHandedToProgramsThatARunStarts) {
  const fs::path run = new_run("lock-exec");
  pid_t child = 0;
  {
    const RunLock lock(run);
    child = ::fork();
    if (child == 0) {
      ::execlp("sleep", "sleep", "60", nullptr);
      ::_exit(1);
    }
    // the lock is held by the child's copy until it has become another program
    while (fs::read_symlink("/proc/" + std::to_string(child) + "/exe") == fs::read_symlink("/proc/self/exe")) ::usleep(1000);
  }
  EXPECT_EQ(refusal(run), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace grpo
