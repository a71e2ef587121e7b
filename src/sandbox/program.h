#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grpo/sandbox/sandbox.h"

namespace grpo {

/// What a fork server's child becomes: a foreign program under limits.
struct Program {
  SandboxKind kind = SandboxKind::kBubblewrap;
  std::vector<std::string> arguments;    // with all of bwrap's
  std::vector<std::string> environment;  // NAME=value, and nothing else
  std::string folder;                    // where it begins
  SandboxLimits limits;
};

/// Whoever runs a program as root runs it as this user and group: nobody. Root has no limit of processes, and may do too much.
inline constexpr unsigned kNobody = 65534;

std::string to_request(const Program& program);
Program program_of(std::string_view request);

/// `ForkServer::Main`. The descriptors become the numbers 0, 1, … of the program, and it has no others. To the last one, which the program
/// does not get under kRlimits, goes a line if it cannot be started.
int become_program(std::string_view request, std::span<const int> descriptors);

}  // namespace grpo
