#include "grpo/dist/launch.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>

#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr auto kLaunchWhere = "launch";
constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

/// The names by which one launcher tells a process its place.
struct Launcher {
  const char *name, *rank, *world_size, *local_rank;
};
constexpr Launcher kTorchrun{"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"};
constexpr Launcher kOpenMpi{"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"};
constexpr Launcher kSlurm{"Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"};
constexpr Launcher kSlurmStep{"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"};

class Variables {
 public:
  explicit Variables(EnvironmentLookup get) : get_(std::move(get)) {}

  /// Set and not empty.
  std::optional<std::string> text(const char* name) const {
    const char* value = get_ ? get_(name) : std::getenv(name);
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
  }
  bool has(const char* name) const { return text(name).has_value(); }

  std::optional<int64_t> number(const char* name, int64_t least, int64_t most) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    int64_t result = 0;
    const char* const end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, result);
    if (error != std::errc() || stop != end || result < least || result > most) {
      fail_usage(kLaunchWhere, "expected " + std::string(name) + " from " + std::to_string(least) + " to " + std::to_string(most) +
                                   "; got '" + *value + "'");
    }
    return result;
  }
  int64_t required(const char* name, int64_t least, int64_t most, const std::string& beside) const {
    const auto value = number(name, least, most);
    if (!value) fail_usage(kLaunchWhere, "expected " + std::string(name) + " beside " + beside + "; it is not set");
    return *value;
  }

 private:
  EnvironmentLookup get_;
};

/// The place that a launcher's variables name; nothing where it did not start this process. A Slurm allocation without a task of it sets
/// SLURM_NTASKS alone, so that one needs its rank.
std::optional<LaunchEnvironment> place(const Variables& v, const Launcher& launcher) {
  const bool by_rank_alone = std::string_view(launcher.name) != kTorchrun.name;
  if (!v.has(launcher.rank) && (by_rank_alone || !v.has(launcher.world_size))) return std::nullopt;
  LaunchEnvironment result;
  result.launcher = launcher.name;
  result.world_size = v.required(launcher.world_size, 1, kLargest, launcher.rank);
  result.rank = v.required(launcher.rank, 0, result.world_size - 1, launcher.world_size);
  result.local_rank = v.number(launcher.local_rank, 0, result.rank).value_or(result.rank);
  return result;
}

std::optional<LaunchEnvironment> outer_place(const Variables& v) {
  if (const auto mpi = place(v, kOpenMpi)) return mpi;
  return place(v, v.has(kSlurmStep.world_size) ? kSlurmStep : kSlurm);
}

/// RANK set by hand for every task alike would make each of them the same rank. Below torchrun, which sets GROUP_RANK, an outer launcher
/// counts machines; a single outer task says nothing about what it starts.
void check_agreement(const Variables& v, const LaunchEnvironment& inner, const LaunchEnvironment& outer) {
  if (v.has("GROUP_RANK") || outer.single()) return;
  if (inner.rank == outer.rank && inner.world_size == outer.world_size) return;
  const auto text = [](const LaunchEnvironment& e) { return std::to_string(e.rank) + " of " + std::to_string(e.world_size); };
  fail_usage(kLaunchWhere, "expected RANK and WORLD_SIZE as " + outer.launcher + " has them, rank " + text(outer) + "; got rank " +
                               text(inner) + ". Unset them, or start one task per machine and torchrun in it");
}

/// "node[03-07,12],other" → "node03".
std::string first_host(const std::string& nodes) {
  const size_t end = nodes.find_first_of("[,");
  std::string host = nodes.substr(0, end);
  if (end == std::string::npos || nodes[end] == ',') return host;
  return host + nodes.substr(end + 1, nodes.find_first_of("-,]", end) - end - 1);
}

/// Where the ranks of a Slurm job meet, unless it is said: the same for all of them, and another for the next job on these machines.
void meet_by_slurm(const Variables& v, LaunchEnvironment& e) {
  const auto nodes = v.text(v.has("SLURM_STEP_NODELIST") ? "SLURM_STEP_NODELIST" : "SLURM_JOB_NODELIST");
  if (e.master_address.empty() && nodes) e.master_address = first_host(*nodes);
  const auto job = v.number("SLURM_JOB_ID", 0, std::numeric_limits<int64_t>::max());
  if (e.master_port == 0 && job) e.master_port = static_cast<uint16_t>(20000 + *job % 10000);  // below the ports of outgoing connections
}

}  // namespace

LaunchEnvironment read_launch_environment(const EnvironmentLookup& get) {
  const Variables v(get);
  const auto inner = place(v, kTorchrun), outer = outer_place(v);
  if (inner && outer) check_agreement(v, *inner, *outer);
  LaunchEnvironment result = inner ? *inner : outer.value_or(LaunchEnvironment{});
  if (result.single()) return result;

  result.master_address = v.text("MASTER_ADDR").value_or("");
  result.master_port = static_cast<uint16_t>(v.number("MASTER_PORT", 1, 65535).value_or(0));
  if (result.launcher == kSlurm.name) meet_by_slurm(v, result);
  const std::string beside = std::to_string(result.world_size) + " processes of " + result.launcher;
  if (result.master_address.empty()) fail_usage(kLaunchWhere, "expected MASTER_ADDR for " + beside + "; it is not set");
  if (result.master_port == 0) fail_usage(kLaunchWhere, "expected MASTER_PORT for " + beside + "; it is not set");
  const auto served = v.text("TORCHELASTIC_USE_AGENT_STORE");
  result.store_served = served && (*served == "True" || *served == "1");
  result.attempt = v.number("TORCHELASTIC_RESTART_COUNT", 0, kLargest).value_or(0);
  return result;
}

}  // namespace grpo
