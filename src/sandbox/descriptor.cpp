#include "sandbox/descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "grpo/core/error.h"

namespace grpo {
namespace {

[[noreturn]] void fail_by_system(const std::string& wanted) { fail("sandbox", "expected " + wanted + "; got " + std::strerror(errno)); }

}  // namespace

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

std::pair<Descriptor, Descriptor> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_by_system("a pipe");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::pair<Descriptor, Descriptor> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail_by_system("a pair of sockets");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor make_memory_file(std::string_view text) {
  Descriptor file(::memfd_create("grpo", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (file.get() < 0) fail_by_system("a file in memory");
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_by_system("room for a file in memory");
    text.remove_prefix(static_cast<size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return file;
}

}  // namespace grpo
