#include "grpo/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "grpo/core/error.h"
#include "io/posix.h"

namespace grpo {
namespace {

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  static std::atomic<uint64_t> counter{0};  // two threads may write the same path
  std::filesystem::path temporary = path;
  return temporary += ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
}

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Bytes written: all of them, or fewer with errno set.
size_t write_all(int descriptor, std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

/// Some file systems cannot sync folders or special files and say EINVAL: nothing is lost that they could have kept.
bool sync_descriptor(int descriptor) { return ::fsync(descriptor) == 0 || errno == EINVAL; }

thread_local int deferred_syncs = 0;  // DeferredSyncs that live on this thread

}  // namespace

DeferredSync::DeferredSync() { ++deferred_syncs; }
DeferredSync::~DeferredSync() { --deferred_syncs; }

void sync_to_disk(const std::filesystem::path& path) {
  const int descriptor = posix::open_file(path, O_RDONLY);
  if (descriptor < 0) posix::fail_errno("AtomicFile", "open and sync", path);
  const bool synced = sync_descriptor(descriptor);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (!synced) posix::fail_errno("AtomicFile", "sync", path);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  using Type = std::filesystem::file_type;
  std::error_code ignored;
  const Type type = std::filesystem::status(path_, ignored).type();  // none: not to be examined, and open says why
  GRPO_CHECK(type == Type::regular || type == Type::not_found || type == Type::none, "AtomicFile",
             "expected a regular file to write or replace; got " + path_.string());
  temporary_ = temporary_beside(path_);
  descriptor_ = posix::open_file(temporary_, O_WRONLY | O_CREAT | O_TRUNC);
  if (descriptor_ < 0) posix::fail_errno("AtomicFile", "create", path_);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})), descriptor_(std::exchange(other.descriptor_, -1)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  GRPO_CHECK(descriptor_ >= 0, "AtomicFile", "expected write before finish and commit; got a write to the closed " + path_.string());
  if (write_all(descriptor_, bytes) != bytes.size()) posix::fail_errno("AtomicFile", "write", path_);
}

void AtomicFile::write(std::string_view text) { write(as_bytes(text)); }

void AtomicFile::finish() {
  if (descriptor_ < 0) return;
  if (deferred_syncs == 0 && !sync_descriptor(descriptor_)) posix::fail_errno("AtomicFile", "sync", path_);
  if (::close(std::exchange(descriptor_, -1)) != 0) posix::fail_errno("AtomicFile", "close", path_);
}

void AtomicFile::commit() {
  GRPO_CHECK(!temporary_.empty(), "AtomicFile", "expected one commit; got another of " + path_.string());
  finish();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) posix::fail_errno("AtomicFile", "rename the finished file to", path_);
  temporary_.clear();
  if (deferred_syncs == 0) sync_to_disk(path_.has_parent_path() ? path_.parent_path() : ".");
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

AppendFile::AppendFile(std::filesystem::path path, std::optional<uint64_t> keep_bytes) : path_(std::move(path)) {
  descriptor_ = posix::open_file(path_, O_WRONLY | O_CREAT | O_APPEND);
  if (descriptor_ < 0) posix::fail_errno("AppendFile", "open", path_);
  try {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    if (end < 0) posix::fail_errno("AppendFile", "seek in", path_);
    size_ = static_cast<uint64_t>(end);
    if (!keep_bytes) return;
    GRPO_CHECK(*keep_bytes <= size_, "AppendFile",
               "expected at least " + std::to_string(*keep_bytes) + " bytes in " + path_.string() + "; got " + std::to_string(size_));
    if (::ftruncate(descriptor_, static_cast<off_t>(*keep_bytes)) != 0) posix::fail_errno("AppendFile", "cut back", path_);
    size_ = *keep_bytes;
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::append(std::string_view bytes) {
  const size_t written = write_all(descriptor_, as_bytes(bytes));
  if (written != bytes.size()) {
    const int error = errno;
    if (written > 0 && ::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) size_ += written;
    errno = error;
    posix::fail_errno("AppendFile", "append to", path_);
  }
  size_ += bytes.size();
}

void AppendFile::append_line(std::string_view line) {
  GRPO_CHECK(line.find('\n') == std::string_view::npos, "AppendFile", "expected one line; got a line feed within it");
  std::string whole;
  whole.reserve(line.size() + 1);
  append(whole.append(line).append("\n"));
}

void AppendFile::sync() {
  if (!sync_descriptor(descriptor_)) posix::fail_errno("AppendFile", "sync", path_);
}

}  // namespace grpo
