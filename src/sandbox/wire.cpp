#include "sandbox/wire.h"

#include <sys/socket.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr uint64_t kMaxMessage = uint64_t{1} << 30;

bool receive_all(int socket, char* data, size_t size) {
  while (size > 0) {
    const ssize_t received = ::recv(socket, data, size, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    data += received;
    size -= static_cast<size_t>(received);
  }
  return true;
}

bool send_all(int socket, std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void check_length(uint64_t length) {
  GRPO_CHECK(length <= kMaxMessage, "sandbox", "expected a message of at most a gigabyte; got " + std::to_string(length) + " bytes");
}

}  // namespace

void WireWriter::put_bits(uint64_t bits) {
  char bytes[sizeof bits];
  std::memcpy(bytes, &bits, sizeof bits);
  bytes_.append(bytes, sizeof bits);
}

void WireWriter::put(double value) { put_bits(std::bit_cast<uint64_t>(value)); }

void WireWriter::put(std::string_view text) {
  put_bits(text.size());
  bytes_ += text;
}

std::string_view WireReader::take(size_t size) {
  GRPO_CHECK(size <= left_.size(), "sandbox",
             "expected " + std::to_string(size) + " more bytes in a message; got " + std::to_string(left_.size()));
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  return taken;
}

int64_t WireReader::integer() {
  int64_t value = 0;
  std::memcpy(&value, take(sizeof value).data(), sizeof value);
  return value;
}

double WireReader::real() { return std::bit_cast<double>(integer()); }

std::string WireReader::text() { return std::string(take(static_cast<size_t>(integer()))); }

size_t WireReader::count() {
  const auto count = static_cast<uint64_t>(integer());
  GRPO_CHECK(count <= left_.size() / 8, "sandbox", "expected a count that fits into the message; got " + std::to_string(count));
  return static_cast<size_t>(count);
}

void WireReader::expect_end() const {
  GRPO_CHECK(left_.empty(), "sandbox", "expected the end of a message; got " + std::to_string(left_.size()) + " more bytes");
}

bool send_message(int socket, std::string_view message) {
  check_length(message.size());
  const uint64_t length = message.size();
  char head[sizeof length];
  std::memcpy(head, &length, sizeof length);
  return send_all(socket, {head, sizeof head}) && send_all(socket, message);
}

bool receive_message(int socket, std::string& message) {
  uint64_t length = 0;
  char head[sizeof length];
  if (!receive_all(socket, head, sizeof head)) return false;
  std::memcpy(&length, head, sizeof length);
  check_length(length);
  message.clear();
  constexpr size_t kPiece = size_t{1} << 20;  // memory is taken as bytes come, not as a length promises
  while (message.size() < length) {
    const size_t begin = message.size(), piece = std::min<size_t>(kPiece, length - begin);
    message.resize(begin + piece);
    if (!receive_all(socket, message.data() + begin, piece)) return false;
  }
  return true;
}

}  // namespace grpo
