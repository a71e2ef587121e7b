#include "io/posix.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "grpo/core/error.h"

namespace grpo::posix {

void fail_errno(std::string_view where, std::string_view action, const std::filesystem::path& path) {
  const std::string reason = std::generic_category().message(errno);
  fail(where, "expected to " + std::string(action) + " " + path.string() + "; got: " + reason);
}

int open_file(const std::filesystem::path& path, int flags) {
  constexpr mode_t kReadWriteForAll = 0666;  // cut down by the process's umask
  int descriptor;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, kReadWriteForAll);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace grpo::posix
