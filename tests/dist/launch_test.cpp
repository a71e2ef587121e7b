// Oracle: the table of cases, by hand from the documentation of torchrun, Open MPI and Slurm.
#include "grpo/dist/launch.h"

#include <gtest/gtest.h>

#include <map>
#include <ostream>

#include "grpo/core/error.h"

namespace grpo {
namespace {

using Variables = std::map<std::string, std::string>;

LaunchEnvironment read(const Variables& variables) {
  return read_launch_environment([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

Variables operator+(Variables a, const Variables& b) {
  for (const auto& [name, value] : b) a[name] = value;
  return a;
}

const Variables kMeeting = {{"MASTER_ADDR", "10.0.0.7"}, {"MASTER_PORT", "29400"}};
const Variables kTorchrun = Variables{{"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}} + kMeeting;
const Variables kMpi = {{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "1"}};
const Variables kSlurm = {{"SLURM_PROCID", "2"},
                          {"SLURM_NTASKS", "6"},
                          {"SLURM_LOCALID", "0"},
                          {"SLURM_JOB_ID", "1234567"},
                          {"SLURM_JOB_NODELIST", "gpu[09-11,14],login"}};

struct Good {
  const char* name;
  Variables variables;
  std::string launcher;
  int64_t rank, world_size, local_rank;
  std::string address;
  int port;
};

void PrintTo(const Good& good, std::ostream* out) { *out << good.name; }

class Accepted : public ::testing::TestWithParam<Good> {};
TEST_P(Accepted, PlaceAndMeeting) {
  const Good& expected = GetParam();
  const LaunchEnvironment got = read(expected.variables);
  EXPECT_EQ(got.launcher, expected.launcher);
  EXPECT_EQ(got.rank, expected.rank);
  EXPECT_EQ(got.world_size, expected.world_size);
  EXPECT_EQ(got.local_rank, expected.local_rank);
  EXPECT_EQ(got.master_address, expected.address);
  EXPECT_EQ(got.master_port, expected.port);
}
INSTANTIATE_TEST_SUITE_P(
    Launch, Accepted,
    ::testing::Values(
        Good{"Nothing", {}, "none", 0, 1, 0, "", 0}, Good{"EmptyIsUnset", {{"RANK", ""}, {"WORLD_SIZE", ""}}, "none", 0, 1, 0, "", 0},
        Good{"Torchrun", kTorchrun, "torchrun", 5, 8, 1, "10.0.0.7", 29400},
        Good{"OneOfOneMeetsNobody", {{"RANK", "0"}, {"WORLD_SIZE", "1"}}, "torchrun", 0, 1, 0, "", 0},
        Good{"ByHandOnOneMachine", Variables{{"RANK", "1"}, {"WORLD_SIZE", "2"}} + kMeeting, "torchrun", 1, 2, 1, "10.0.0.7", 29400},
        Good{"OpenMpi", kMpi + kMeeting, "Open MPI", 3, 4, 1, "10.0.0.7", 29400}, Good{"Slurm", kSlurm, "Slurm", 2, 6, 0, "gpu09", 24567},
        Good{"SlurmWithItsMeetingSaid", kSlurm + kMeeting, "Slurm", 2, 6, 0, "10.0.0.7", 29400},
        Good{"SlurmOneHost", kSlurm + Variables{{"SLURM_JOB_NODELIST", "node7"}}, "Slurm", 2, 6, 0, "node7", 24567},
        Good{"SlurmPlainHosts", kSlurm + Variables{{"SLURM_JOB_NODELIST", "a1,b2"}}, "Slurm", 2, 6, 0, "a1", 24567},
        Good{"SlurmStepOfFewerTasks", kSlurm + Variables{{"SLURM_STEP_NUM_TASKS", "3"}, {"SLURM_STEP_NODELIST", "gpu[10,14]"}}, "Slurm", 2,
             3, 0, "gpu10", 24567},
        Good{"SlurmAllocationWithoutATask", {{"SLURM_NTASKS", "4"}, {"SLURM_JOB_ID", "9"}}, "none", 0, 1, 0, "", 0},
        Good{"TorchrunInATaskPerNode", kTorchrun + kSlurm + Variables{{"GROUP_RANK", "2"}}, "torchrun", 5, 8, 1, "10.0.0.7", 29400},
        Good{"ByHandInOneTask", kTorchrun + Variables{{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}, "torchrun", 5, 8, 1, "10.0.0.7",
             29400},
        Good{"MpirunInASlurmBatch", kMpi + kMeeting + kSlurm, "Open MPI", 3, 4, 1, "10.0.0.7", 29400},
        Good{"TwoLaunchersThatAgree", kMpi + kMeeting + Variables{{"RANK", "3"}, {"WORLD_SIZE", "4"}}, "torchrun", 3, 4, 3, "10.0.0.7",
             29400}),
    [](const auto& test) { return test.param.name; });

struct Bad {
  const char* name;
  Variables variables;
  std::string message;
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class Refused : public ::testing::TestWithParam<Bad> {};
TEST_P(Refused, WithTheVariableNamed) {
  try {
    read(GetParam().variables);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find(GetParam().message), std::string::npos) << error.what();
  }
}
INSTANTIATE_TEST_SUITE_P(
    Launch, Refused,
    ::testing::Values(Bad{"RankAlone", {{"RANK", "0"}}, "expected WORLD_SIZE beside RANK; it is not set"},
                      Bad{"WorldSizeAlone", {{"WORLD_SIZE", "2"}}, "expected RANK beside WORLD_SIZE; it is not set"},
                      Bad{"SlurmRankAlone", {{"SLURM_PROCID", "0"}}, "expected SLURM_NTASKS beside SLURM_PROCID"},
                      Bad{"RankBeyondTheWorld", kTorchrun + Variables{{"RANK", "8"}}, "expected RANK from 0 to 7; got '8'"},
                      Bad{"NegativeRank", kTorchrun + Variables{{"RANK", "-1"}}, "expected RANK from 0 to 7; got '-1'"},
                      Bad{"EmptyWorld", kTorchrun + Variables{{"WORLD_SIZE", "0"}}, "expected WORLD_SIZE from 1"},
                      Bad{"NoNumber", kTorchrun + Variables{{"RANK", "1x"}}, "got '1x'"},
                      Bad{"LocalRankAboveRank", kTorchrun + Variables{{"LOCAL_RANK", "6"}}, "expected LOCAL_RANK from 0 to 5; got '6'"},
                      Bad{"PortOutOfRange", kTorchrun + Variables{{"MASTER_PORT", "65536"}}, "expected MASTER_PORT from 1 to 65535"},
                      Bad{"NoAddress", kTorchrun + Variables{{"MASTER_ADDR", ""}}, "expected MASTER_ADDR for 8 processes of torchrun"},
                      Bad{"NoPort", kTorchrun + Variables{{"MASTER_PORT", ""}}, "expected MASTER_PORT for 8 processes of torchrun"},
                      Bad{"MpiWithoutAMeeting", kMpi, "expected MASTER_ADDR for 4 processes of Open MPI"},
                      Bad{"EveryTaskTheSameRank", kSlurm + kMeeting + Variables{{"RANK", "0"}, {"WORLD_SIZE", "1"}},
                          "expected RANK and WORLD_SIZE as Slurm has them, rank 2 of 6; got rank 0 of 1"},
                      Bad{"MpiSaysOtherwise", kMpi + kTorchrun, "as Open MPI has them, rank 3 of 4; got rank 5 of 8"}),
    [](const auto& test) { return test.param.name; });

TEST(Launch, TorchrunsStoreAndAttempt) {
  const auto first = read(kTorchrun);
  EXPECT_FALSE(first.store_served);
  EXPECT_EQ(first.attempt, 0);
  const auto again = read(kTorchrun + Variables{{"TORCHELASTIC_USE_AGENT_STORE", "True"}, {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_TRUE(again.store_served);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_FALSE(read(kTorchrun + Variables{{"TORCHELASTIC_USE_AGENT_STORE", "False"}}).store_served);
}

TEST(Launch, ReadsTheProcessEnvironmentByDefault) {
  ASSERT_EQ(::setenv("RANK", "4", 1), 0);
  EXPECT_THROW(read_launch_environment(), Error);
  ASSERT_EQ(::unsetenv("RANK"), 0);
  EXPECT_TRUE(read_launch_environment().single());
}

}  // namespace
}  // namespace grpo
