#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace grpo::testing {

/// A child process whose output is kept; killed with the object if it still runs.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& variables) {
    output_path_ = (std::filesystem::path(::testing::TempDir()) / "output-XXXXXX").string();
    const int output = ::mkstemp(output_path_.data());
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    std::vector<std::string> environment = merged(variables), words = arguments;
    const int error = ::posix_spawn(&id_, arguments[0].c_str(), &actions, nullptr, pointers(words).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(output);
    if (error != 0) throw std::runtime_error("cannot start " + arguments[0]);
  }
  ~Process() {
    if (!done_) kill(SIGKILL), wait_for(std::chrono::seconds(10));
    std::filesystem::remove(output_path_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void kill(int signal) const { ::kill(id_, signal); }
  /// Whether it ended in time.
  bool wait_for(std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done_ && std::chrono::steady_clock::now() < deadline) {
      done_ = ::waitpid(id_, &status_, WNOHANG) == id_;
      if (!done_) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return done_;
  }
  /// Its exit status; that of a signal is negative.
  int status() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_); }
  std::string output() const {
    std::ifstream in(output_path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  static std::vector<std::string> merged(const std::map<std::string, std::string>& variables) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      if (!variables.contains(text.substr(0, text.find('=')))) all.push_back(text);
    }
    for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
    return all;
  }
  static std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    for (auto& word : words) result.push_back(word.data());
    result.push_back(nullptr);
    return result;
  }

  pid_t id_ = 0;
  int status_ = 0;
  bool done_ = false;
  std::string output_path_;
};

/// A port of the loopback address that is free now, below those that the system gives to outgoing connections.
inline int free_port() {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int port = 20000 + static_cast<int>(random() % 12000), socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    if (free) return port;
  }
  throw std::runtime_error("found no free port");
}

/// The variables of one rank of several on this machine, as torchrun sets them.
inline std::map<std::string, std::string> rank_variables(int rank, int world_size, int port) {
  return {{"RANK", std::to_string(rank)}, {"WORLD_SIZE", std::to_string(world_size)}, {"LOCAL_RANK", std::to_string(rank)},
          {"MASTER_ADDR", "127.0.0.1"},   {"MASTER_PORT", std::to_string(port)},      {"OMP_NUM_THREADS", "1"}};
}

}  // namespace grpo::testing
