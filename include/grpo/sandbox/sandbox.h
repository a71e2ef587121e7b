#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grpo/api.h"

namespace GRPO_API grpo {

/// What keeps a foreign program from the rest of the machine; src/sandbox/README.md says what each kind holds.
enum class SandboxKind {
  kBubblewrap,  // namespaces of its own, by the program bwrap: no network, no files but the system's, no other process; and the limits
  kRlimits,     // only limits of the system: it can read, write, signal and connect as the user can who runs it (as root: as nobody)
};

/// What a foreign program may use up.
struct SandboxLimits {
  double timeout = 10.0;                // seconds of the clock, and of CPU time for each process
  int64_t memory = int64_t{512} << 20;  // bytes of address space of each process
  int64_t output = int64_t{1} << 20;    // bytes of its standard output, and again of its standard error
  int64_t files = int64_t{16} << 20;    // bytes of each file, and of all in the working folder (kRlimits: only of each)
  int64_t processes = 16;               // processes and threads at a time
  int64_t open_files = 64;              // of each process
};

/// A program, without a shell.
struct SandboxCommand {
  std::vector<std::string> arguments;                           // the program, looked for in /usr/bin and /bin, and its arguments
  std::string input = {};                                       // its standard input
  std::vector<std::pair<std::string, std::string>> files = {};  // name and content: they lie in its working folder, which goes with it
  std::vector<int> descriptors = {};                            // become 3, 4, … in the program; `run` closes them here
};

/// Why a program is over.
enum class SandboxEnd {
  kExited,   // by itself, with `status`
  kSignal,   // by the signal `status`: its own fault, or a limit of memory, CPU time or file size
  kTimeout,  // killed: its time was over
  kOutput,   // killed: it wrote more than it may
  kStopped,  // killed: the first of several programs was over
};

struct SandboxResult {
  SandboxEnd end = SandboxEnd::kExited;
  int status = 0;
  std::string out, err;  // what it wrote, cut at the limit
};

/// "exit status 1", "signal 11 (Segmentation fault)", "its time was over", …
std::string to_text(const SandboxResult& result);

/// Runs foreign programs in child processes, each killed with all that it started at the end of its time or of this program, and gone with
/// all of it when `run` returns. Make it early: it forks one small process, which starts the others and shares the memory of that moment.
/// Any number of threads may call `run`.
class Sandbox {
 public:
  /// `readable`: folders outside /usr that a program may read under kBubblewrap. Throws `Error` if bwrap is missing or does not work.
  explicit Sandbox(SandboxKind kind = SandboxKind::kBubblewrap, std::vector<std::string> readable = {});
  ~Sandbox();

  /// Throws `Error` if the program cannot be started.
  SandboxResult run(const SandboxCommand& command, const SandboxLimits& limits = {}) const;
  /// Runs programs that talk by their descriptors, side by side, each in a sandbox of its own. When the first one is over, the others are
  /// killed.
  std::vector<SandboxResult> run(std::span<const SandboxCommand> commands, const SandboxLimits& limits = {}) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace grpo
