#include "run/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include "grpo/core/error.h"
#include "grpo/core/log.h"
#include "io/posix.h"

namespace grpo {
namespace {

/// "process 4711 on node3 since 2025-01-31 12:00:00 UTC"
std::string myself() {
  std::array<char, 64> time{};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::strftime(time.data(), time.size(), "%F %T UTC", gmtime_r(&now, &parts));
  return "process " + std::to_string(::getpid()) + " on " + posix::host_name() + " since " + time.data();
}

std::string holder(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : "another process";
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& run) {
  std::error_code error;
  std::filesystem::create_directories(run, error);
  GRPO_CHECK(!error, "output_dir", "cannot make " + run.string() + ": " + error.message());
  const std::string path = (run / "run.lock").string();
  descriptor_ = posix::open_file(path, O_RDWR | O_CREAT);
  GRPO_CHECK(descriptor_ >= 0, "output_dir", "cannot open " + path + ": " + std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    const std::string writer = reason == EWOULDBLOCK ? holder(descriptor_) : "";
    if (reason == EWOULDBLOCK) ::close(descriptor_);
    GRPO_CHECK(reason != EWOULDBLOCK, "output_dir", "expected a run folder that nobody writes; " + run.string() + " is held by " + writer);
    log_warn("cannot lock " + path + " (" + std::strerror(reason) + "): nothing keeps a second process from writing there too");
    return;
  }
  const std::string text = myself();
  const bool noted = ::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, text.data(), text.size(), 0) >= 0;
  if (!noted) log_warn("cannot write to " + path + ": a second process will not learn who holds the run");  // it will still be refused
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace grpo
