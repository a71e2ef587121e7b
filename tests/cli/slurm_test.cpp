// The job script of a cluster, with stand-ins for Slurm's commands. Oracle: which jobs are worth another try.
#include <gtest/gtest.h>

#include "cli/small_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::kPatience;
using testing::Process;
using testing::SmallRun;

/// A cluster whose srun does what a shell line says.
class Slurm {
 public:
  Slurm(const std::string& name, const std::string& srun) : run_("slurm-" + name, "train") {
    command("srun", srun);
    command("scontrol", "echo \"$@\" >>'" + requeued().string() + "'");
  }
  SmallRun& run() { return run_; }
  /// Ends as the job's script does.
  int job() {
    run_.words();  // writes the config
    Process process({"/bin/bash", GRPO_SOURCE_DIR "/examples/slurm.sh", (run_.folder / "config.json").string()},
                    {{"PATH", run_.folder.string() + ":" + std::getenv("PATH")},
                     {"GRPO", GRPO_BINARY_DIR "/bin/grpo"},
                     {"SLURM_JOB_ID", "17"},
                     {"SLURM_CPUS_PER_TASK", "1"}});
    EXPECT_TRUE(process.wait_for(kPatience));
    return process.status();
  }
  int requeues() const {
    std::ifstream in(requeued());
    int lines = 0;
    for (std::string line; std::getline(in, line);) lines += line == "requeue 17" ? 1 : 100;
    return lines;
  }

 private:
  fs::path requeued() const { return run_.folder / "requeued"; }
  void command(const std::string& name, const std::string& line) const {
    std::ofstream(run_.folder / name) << "#!/bin/bash\n" << line << "\n";
    fs::permissions(run_.folder / name, fs::perms::owner_all);
  }
  SmallRun run_;
};

TEST(SlurmScript, GoesOnInAnotherJobUntilTheRunIsDone) {
  const std::string run = SmallRun("slurm-limit", "train").run().string();
  Slurm slurm("limit", "[ -e '" + run +
                           "' ] && exec \"$@\"\n"  // the second job has time enough
                           "\"$@\" & job=$!\n"
                           "while ! [ -s '" +
                           run +
                           "/metrics.jsonl' ] && kill -0 $job; do sleep 0.05; done\n"
                           "kill -USR1 $job; wait $job");
  EXPECT_EQ(slurm.job(), 0);
  EXPECT_EQ(slurm.requeues(), 1);
  const int64_t step = slurm.run().last_step();
  EXPECT_TRUE(fs::exists(slurm.run().run() / ("checkpoint-" + std::to_string(step))));
  slurm.run().config["trainer"]["max_steps"] = step;
  EXPECT_EQ(slurm.job(), 0);
  EXPECT_EQ(slurm.requeues(), 1) << "it is done";
  EXPECT_TRUE(fs::exists(slurm.run().run() / "model"));
}

TEST(SlurmScript, AFailureIsNotTriedAgain) {
  for (const char* status : {"1", "2", "137"}) {
    Slurm slurm(std::string("failure") + status, std::string("exit ") + status);
    EXPECT_EQ(slurm.job(), std::stoi(status));
    EXPECT_EQ(slurm.requeues(), 0);
  }
}

TEST(SlurmScript, GivesUpIfThreeJobsComeNoFurther) {
  Slurm slurm("stuck", "exit 75");
  fs::create_directories(slurm.run().run());
  EXPECT_EQ(slurm.job(), 0);
  EXPECT_EQ(slurm.job(), 0);
  EXPECT_EQ(slurm.job(), 1);
  EXPECT_EQ(slurm.requeues(), 2);
  fs::create_directories(slurm.run().run() / "checkpoint-3");
  std::ofstream(slurm.run().run() / "requeues") << "0\n";
  EXPECT_EQ(slurm.job(), 0) << "somebody looked, and tries again";
}

}  // namespace
}  // namespace grpo
