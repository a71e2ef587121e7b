#include "core/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

namespace grpo {
namespace {

[[maybe_unused]] const bool opened_at_load = [] {
  open_standard_descriptors();
  return true;
}();

}  // namespace

void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) < 0) return;  // the lowest free number, which is this one
  }
}

}  // namespace grpo
