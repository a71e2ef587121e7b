#include "grpo/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "grpo/core/error.h"
#include "io/posix.h"

namespace grpo {
namespace {

constexpr auto kMappedFileWhere = "MappedFile";

struct Closer {
  int descriptor;
  ~Closer() { ::close(descriptor); }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const int descriptor = posix::open_file(path, O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) posix::fail_errno(kMappedFileWhere, "open", path);
  const Closer closer{descriptor};
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) posix::fail_errno(kMappedFileWhere, "examine", path);
  GRPO_CHECK(S_ISREG(status.st_mode), kMappedFileWhere, "expected a regular file; got " + path.string());
  GRPO_CHECK(status.st_size > 0, kMappedFileWhere, "expected a file with content; got the empty file " + path.string());
  const auto size = static_cast<size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) posix::fail_errno(kMappedFileWhere, "map", path);
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void release_pages(std::span<const std::byte> part) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(part.data()) % page;  // of the part, in its first page
  ::madvise(const_cast<std::byte*>(part.data()) - before, before + part.size(),
            MADV_DONTNEED);  // advice: where it is not taken nothing is lost
}

}  // namespace grpo
