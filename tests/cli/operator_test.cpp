// What an operator does to runs: signals, displays that go away, second writers, changed settings, by kind and command. Oracle: a run ends
// with the status that the program documents, leaves a checkpoint, and holds its own content only.
#include <gtest/gtest.h>
#include <signal.h>

#include <ostream>
#include <string>
#include <thread>
#include <tuple>

#include "cli/small_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::kPatience;
using testing::SmallRun;

constexpr int kInterrupted = 75;

struct Signal {
  const char* name;
  int number;
};
void PrintTo(const Signal& signal, std::ostream* out) { *out << signal.name; }

const auto kCommands = ::testing::Values("train", "sft", "dpo", "reward-model");

std::string plain(std::string command) {
  std::erase(command, '-');
  return command;
}

class Stopped : public ::testing::TestWithParam<std::tuple<const char*, Signal>> {};

TEST_P(Stopped, LeavesACheckpointOfItsLastStep) {
  const auto& [command, signal] = GetParam();
  const SmallRun small("stopped-" + plain(command) + signal.name, command);
  const auto process = small.start();
  ASSERT_TRUE(small.wait_for_step(2)) << process->output();
  process->kill(signal.number);
  ASSERT_TRUE(process->wait_for(kPatience));
  EXPECT_EQ(process->status(), kInterrupted) << process->output();
  EXPECT_TRUE(fs::exists(small.run() / ("checkpoint-" + std::to_string(small.last_step())))) << process->output();
  EXPECT_FALSE(fs::exists(small.run() / "model"));

  const auto resumed = small.start({"--resume", "trainer.max_steps=" + std::to_string(small.last_step() + 2)});
  ASSERT_TRUE(resumed->wait_for(kPatience));
  EXPECT_EQ(resumed->status(), 0) << resumed->output();
  const auto lines = small.lines();
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].at("step"), i + 1) << "each step once";
}

INSTANTIATE_TEST_SUITE_P(Commands, Stopped,
                         ::testing::Combine(kCommands, ::testing::Values(Signal{"TERM", SIGTERM}, Signal{"INT", SIGINT},
                                                                         Signal{"USR1", SIGUSR1}, Signal{"HUP", SIGHUP})),
                         [](const auto& given) { return plain(std::get<0>(given.param)) + std::get<1>(given.param).name; });

class Operated : public ::testing::TestWithParam<const char*> {
 protected:
  SmallRun small(const std::string& what) const { return {what + "-" + plain(GetParam()), GetParam()}; }
};

INSTANTIATE_TEST_SUITE_P(Commands, Operated, kCommands, [](const auto& given) { return plain(given.param); });

TEST_P(Operated, AHangUpThatIsIgnoredDoesNothing) {
  const SmallRun run = small("nohup");
  const auto process = run.shell("trap '' HUP; exec GRPO", {"trainer.max_steps=40"});
  ASSERT_TRUE(run.wait_for_step(2)) << process->output();
  process->kill(SIGHUP);
  ASSERT_TRUE(process->wait_for(kPatience));
  EXPECT_EQ(process->status(), 0) << process->output();
  EXPECT_EQ(run.last_step(), 40);
}

TEST_P(Operated, OutlivesItsDisplay) {
  const SmallRun run = small("display");
  const auto process =
      run.shell("( GRPO 2>&1; echo $? >'" + (run.folder / "status").string() + "' ) | head -n 1", {"trainer.max_steps=20"});
  ASSERT_TRUE(process->wait_for(kPatience));
  EXPECT_EQ(testing::read_text(run.folder / "status"), "0\n") << process->output();
  EXPECT_TRUE(fs::exists(run.run() / "model"));
}

TEST_P(Operated, WritesNoLogIntoItsFilesIfTheStandardStreamsAreClosed) {
  const SmallRun run = small("closed");
  const auto process = run.shell("GRPO >&- 2>&- <&-", {"trainer.max_steps=3"});
  ASSERT_TRUE(process->wait_for(kPatience));
  EXPECT_EQ(process->status(), 0);
  for (const auto& entry : fs::recursive_directory_iterator(run.run())) {
    if (entry.is_regular_file()) {
      EXPECT_EQ(testing::read_text(entry.path()).find("[info]"), std::string::npos) << entry.path();
    }
  }
  EXPECT_EQ(run.lines().size(), 3U);
}

TEST_P(Operated, ASecondWriterIsRefusedAndTheLockGoesWithItsProcess) {
  const SmallRun run = small("writers");
  const auto first = run.start();
  ASSERT_TRUE(run.wait_for_step(1)) << first->output();
  const auto second = run.start({"--resume"});
  ASSERT_TRUE(second->wait_for(kPatience));
  EXPECT_EQ(second->status(), 1);
  EXPECT_NE(second->output().find("is held by process "), std::string::npos) << second->output();
  first->kill(SIGKILL);
  ASSERT_TRUE(first->wait_for(kPatience));
  const auto third = run.start({"--resume", "trainer.max_steps=2"});
  ASSERT_TRUE(third->wait_for(kPatience));
  EXPECT_EQ(third->status(), 0) << third->output();
}

TEST_P(Operated, WhatMakesTheRunMayNotChangeOnResume) {
  SmallRun run = small("changed");
  const auto first = run.start({"trainer.max_steps=2"});
  ASSERT_TRUE(first->wait_for(kPatience));
  ASSERT_EQ(first->status(), 0) << first->output();
  for (const auto& [setting, shown] : {std::pair("trainer.seed=9", "trainer.seed: 42, now 9"),
                                       {"data.train.seed=4", "data.train.seed: 3, now 4"},
                                       {"data.train.count=30", "content.data: 40 problems"},
                                       {"model.new.rope_theta=500", "model.new.rope_theta: 10000"}}) {
    const auto other = run.start({"--resume", "trainer.max_steps=3", setting});
    ASSERT_TRUE(other->wait_for(kPatience));
    EXPECT_EQ(other->status(), 2) << setting;
    EXPECT_NE(other->output().find(shown), std::string::npos) << other->output();
  }
  EXPECT_EQ(run.last_step(), 2) << "nothing was trained";

  const auto other = run.start({"--resume", "trainer.max_steps=3", "optim.learning_rate=0.002", "data.train.seed=4", "--allow-changed",
                                "data.train.seed", "--allow-changed", "content.data"});
  ASSERT_TRUE(other->wait_for(kPatience));
  EXPECT_EQ(other->status(), 0) << other->output();
  EXPECT_NE(other->output().find("optim.learning_rate: 0.001, now 0.002"), std::string::npos) << other->output();
  EXPECT_GE(run.lines().back().at("changed_settings"), 3);
  EXPECT_NE(testing::read_text(run.run() / "changes.jsonl").find(R"("key":"optim.learning_rate","was":"0.001","now":"0.002")"),
            std::string::npos);
}

// Kubernetes: TERM, 30 s, KILL. Slurm before its time limit: USR1. A rollout that takes minutes is abandoned.
class LongRollout : public ::testing::TestWithParam<Signal> {};

TEST_P(LongRollout, IsAbandonedWithinTheGraceOfALauncher) {
  SmallRun run(std::string("long-rollout-") + GetParam().name, "train");
  run.config["model"]["new"]["max_position_embeddings"] = 4000;
  run.config["rollout"] = {{"num_generations", 16}, {"max_completion_length", 3000}};
  run.config["algorithm"] = {{"generation_batch_size", 1048576}};
  const auto process = run.start();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!fs::exists(run.run() / "config.json") && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  process->kill(GetParam().number);
  ASSERT_TRUE(process->wait_for(std::chrono::seconds(30))) << "would be killed";
  EXPECT_EQ(process->status(), kInterrupted) << process->output();
  EXPECT_EQ(run.last_step(), 0);
}

INSTANTIATE_TEST_SUITE_P(Launchers, LongRollout, ::testing::Values(Signal{"TERM", SIGTERM}, Signal{"USR1", SIGUSR1}),
                         [](const auto& given) { return std::string(given.param.name); });

TEST(Loading, EndsCleanlyBeforeAnythingWasBegun) {
  const SmallRun run("loading", "train");
  const auto process = run.start({"data.train.count=2000000"});  // generating them takes seconds
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  process->kill(SIGTERM);
  ASSERT_TRUE(process->wait_for(std::chrono::seconds(30)));
  EXPECT_EQ(process->status(), kInterrupted) << process->output();
  EXPECT_NE(process->output().find("interrupted; nothing was begun"), std::string::npos) << process->output();
  EXPECT_FALSE(fs::exists(run.run()));
}

TEST(Followed, ReportIsServedUntilASignal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const fs::path run = fs::path(::testing::TempDir()) / ("followed-" + std::to_string(signal));
    fs::remove_all(run);
    testing::Process process({GRPO_BINARY_DIR "/bin/grpo", "report", run.string(), "--follow"}, {});
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (process.output().find("waiting for " + run.string()) == std::string::npos && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(process.output().starts_with("http://127.0.0.1:")) << process.output();
    EXPECT_FALSE(process.wait_for(std::chrono::milliseconds(0)));
    process.kill(signal);
    ASSERT_TRUE(process.wait_for(kPatience));
    EXPECT_EQ(process.status(), 0) << process.output();
    EXPECT_FALSE(fs::exists(run)) << "who looks writes nothing";
  }
}

TEST(Followed, ThePortIsTheOneThatIsAskedFor) {
  const std::string program = GRPO_BINARY_DIR "/bin/grpo", port = std::to_string(testing::free_port());
  testing::Process process({program, "report", "nowhere", "--follow", "--port", port}, {});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (process.output().find('\n') == std::string::npos && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(process.output().substr(0, process.output().find('\n')), "http://127.0.0.1:" + port + "/");
  testing::Process second({program, "report", "nowhere", "--follow", "--port", port}, {});
  ASSERT_TRUE(second.wait_for(kPatience));
  EXPECT_EQ(second.status(), 1) << second.output();
  for (const char* wrong : {"0", "65536", "x"}) {
    testing::Process refused({program, "report", "nowhere", "--follow", "--port", wrong}, {});
    ASSERT_TRUE(refused.wait_for(kPatience));
    EXPECT_EQ(refused.status(), 2) << wrong;
  }
  testing::Process useless({program, "report", "nowhere", "--port", port}, {});
  ASSERT_TRUE(useless.wait_for(kPatience));
  EXPECT_EQ(useless.status(), 2) << useless.output();
}

}  // namespace
}  // namespace grpo
