// Random signals at random moments to random ranks of small runs, under a loop that starts them again as a launcher does. Oracle: the run
// that nobody disturbed, bit for bit, with each line of the metrics once. GRPO_CHAOS_TRIALS says how many runs.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <random>

#include "cli/small_run.h"
#include "support/metrics.h"

namespace grpo {
namespace {

using testing::kPatience;
using testing::Process;
using testing::SmallRun;

class Chaos : public ::testing::TestWithParam<int> {
 protected:
  std::mt19937 random_{std::random_device{}()};
  int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  SmallRun made(const std::string& name) const {
    const bool supervised = GetParam() % 3 == 0;
    SmallRun run("chaos-" + name + std::to_string(GetParam()), supervised ? "sft" : "train");
    run.config["trainer"].update({{"max_steps", 12}, {"save_steps", GetParam() % 2 == 0 ? 2 : 0}, {"save_total_limit", 2}});
    if (!supervised && GetParam() % 4 == 1) run.config["algorithm"]["steps_per_generation"] = 2;
    return run;
  }
  std::vector<std::unique_ptr<Process>> start(const SmallRun& run) const {
    const int ranks = GetParam() % 5 == 2 ? 2 : 1, port = testing::free_port();
    std::vector<std::unique_ptr<Process>> all;
    for (int rank = 0; rank < ranks; ++rank)
      all.push_back(run.start({"--resume"}, ranks > 1 ? testing::rank_variables(rank, ranks, port) : std::map<std::string, std::string>{}));
    return all;
  }
  /// A launcher that sees one rank end badly asks the others to stop: they might wait long for it.
  static void end_as_launchers_do(std::vector<std::unique_ptr<Process>>& ranks) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      size_t ended = 0;
      bool badly = false;
      for (auto& rank : ranks) {
        if (!rank->wait_for(std::chrono::milliseconds(20))) continue;
        ++ended;
        badly = badly || rank->status() != 0;
      }
      if (ended == ranks.size()) return;
      if (!badly) continue;
      for (auto& rank : ranks) {
        if (!rank->wait_for(std::chrono::milliseconds(1))) rank->kill(SIGTERM);
      }
      return;
    }
  }
  /// Starts the run and disturbs it. Whether it came to its end.
  bool disturbed(const SmallRun& run, int patience) {
    auto ranks = start(run);
    std::this_thread::sleep_for(std::chrono::milliseconds(uniform(20, patience)));
    Process& victim = *ranks[static_cast<size_t>(uniform(0, static_cast<int>(ranks.size()) - 1))];
    const int kind = uniform(0, 3);
    if (kind == 3) {
      victim.kill(SIGSTOP);
      std::this_thread::sleep_for(std::chrono::milliseconds(uniform(1, 300)));
      victim.kill(SIGCONT);
    } else {
      victim.kill(std::array{SIGTERM, SIGHUP, SIGKILL}[static_cast<size_t>(kind)]);
    }
    end_as_launchers_do(ranks);
    bool done = true;
    for (auto& rank : ranks) {
      EXPECT_TRUE(rank->wait_for(kPatience)) << rank->output();
      done = done && rank->status() == 0;
      const bool alone_at_fault = ranks.size() == 1 && rank->status() == 1;
      EXPECT_FALSE(alone_at_fault || rank->status() == 2) << rank->output();
    }
    return done;
  }
};

TEST_P(Chaos, EndsAsTheUndisturbedRun) {
  const SmallRun whole = made("whole"), broken = made("broken");
  for (auto& rank : start(whole)) {
    ASSERT_TRUE(rank->wait_for(kPatience));
    ASSERT_EQ(rank->status(), 0) << rank->output();
  }
  int tries = 0;
  while (!disturbed(broken, 300 + 60 * tries + 3 * tries * tries)) ASSERT_LT(++tries, 60);
  EXPECT_EQ(whole.model_files(), broken.model_files());
  EXPECT_EQ(testing::timeless_metrics(whole.run()), testing::timeless_metrics(broken.run()));
}

int trials() {
  const char* asked = std::getenv("GRPO_CHAOS_TRIALS");
  return asked != nullptr ? std::atoi(asked) : 6;
}

INSTANTIATE_TEST_SUITE_P(Trials, Chaos, ::testing::Range(0, trials()));

}  // namespace
}  // namespace grpo
