#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// This process's place among those that a launcher started, and where they meet.
struct LaunchEnvironment {
  int64_t rank = 0;
  int64_t world_size = 1;
  int64_t local_rank = 0;         // among the processes of this machine: the number of its device
  std::string master_address;     // of rank 0's machine; empty if world_size is 1
  uint16_t master_port = 0;       //
  bool store_served = false;      // torchrun already listens there: rank 0 does not
  int64_t attempt = 0;            // restarts so far: those of one attempt meet each other alone
  std::string launcher = "none";  // for messages: "torchrun", "Open MPI", "Slurm" or "none"
  bool single() const { return world_size == 1; }
};

/// The value of an environment variable, or nullptr.
using EnvironmentLookup = std::function<const char*(const char* name)>;

/// Reads what a launcher set, the innermost first:
///
///   torchrun (or by hand)  RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT
///   Open MPI               OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK; MASTER_ADDR and MASTER_PORT passed with -x
///   Slurm                  SLURM_PROCID, SLURM_STEP_NUM_TASKS or SLURM_NTASKS, SLURM_LOCALID; MASTER_ADDR and MASTER_PORT, or else the
///                          first host of the node list and a port that follows from the job's id
///
/// None of these: one process. A local rank that is not given is the rank itself, as on one machine.
/// Throws one usage error for variables that are missing beside others, are no numbers or out of range, and if RANK and WORLD_SIZE, set
/// by hand, are not what the launcher of several processes says (torchrun inside one task per node is fine).
LaunchEnvironment read_launch_environment(const EnvironmentLookup& get = nullptr);

}  // namespace grpo
