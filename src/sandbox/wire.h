#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace grpo {

/// Values as bytes, for a process of the same program: 8 bytes a number, the length before each text.
class WireWriter {
 public:
  template <std::integral T>
  void put(T value) {
    put_bits(static_cast<uint64_t>(value));
  }
  void put(double value);
  void put(std::string_view text);

  const std::string& bytes() const { return bytes_; }

 private:
  void put_bits(uint64_t bits);
  std::string bytes_;
};

/// Reads them back. Throws `Error` where they are too short or a count is larger than the bytes that are left.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  int64_t integer();
  double real();
  std::string text();
  /// How many things follow, each of at least 8 bytes.
  size_t count();
  /// Throws `Error` if something is left.
  void expect_end() const;

 private:
  std::string_view take(size_t size);
  std::string_view left_;
};

/// Sends or receives one message over a stream socket. False where the other side has gone; `Error` if a message is longer than a gigabyte.
bool send_message(int socket, std::string_view message);
bool receive_message(int socket, std::string& message);

}  // namespace grpo
