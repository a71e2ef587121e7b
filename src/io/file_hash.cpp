#include "io/file_hash.h"

#include <fcntl.h>
#include <unistd.h>

#define XXH_INLINE_ALL  // nothing to link
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <memory>

#include "grpo/core/error.h"
#include "io/posix.h"

namespace grpo {
namespace {

constexpr size_t kHashedAtOnce = size_t{1} << 18;  // bytes: they stay in the second-level cache between read and hash

std::string hexadecimal(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

/// Bytes read, 0 at the end; -1 with errno set on failure.
ssize_t read_some(int descriptor, std::byte* to, size_t count) {
  ssize_t got;
  do {
    got = ::read(descriptor, to, count);
  } while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

std::string hash_of(std::string_view bytes) { return hexadecimal(XXH3_128bits(bytes.data(), bytes.size())); }

FileHash hash_of_file(const std::filesystem::path& path) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const int descriptor = posix::open_file(path, O_RDONLY | O_NONBLOCK);
  if (descriptor < 0) posix::fail_errno("hash_of_file", "open", path);
  const auto buffer = std::make_unique<std::array<std::byte, kHashedAtOnce>>();
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  FileHash result;
  ssize_t got;
  while ((got = read_some(descriptor, buffer->data(), kHashedAtOnce)) > 0) {
    XXH3_128bits_update(&state, buffer->data(), static_cast<size_t>(got));
    result.size += static_cast<uint64_t>(got);
  }
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (got < 0) posix::fail_errno("hash_of_file", "read", path);
  result.hash = hexadecimal(XXH3_128bits_digest(&state));
  return result;
}

}  // namespace grpo
