#pragma once

#include <string_view>
#include <utility>

namespace grpo {

/// A descriptor that is closed with the object; -1: none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  void reset();

 private:
  int number_;
};

/// Two ends of a pipe (first: to read) or of a stream socket, and a file of `text` in memory that can only be read. None is inherited by
/// programs. They throw `Error` if the system has none left.
std::pair<Descriptor, Descriptor> make_pipe();
std::pair<Descriptor, Descriptor> make_socket_pair();
Descriptor make_memory_file(std::string_view text);

}  // namespace grpo
