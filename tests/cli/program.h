#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "grpo/model/transformer.h"
#include "grpo/policy/config.h"
#include "grpo/policy/policy.h"
#include "support/parity.h"

// The program as its user runs it, in a folder of the test's own.
namespace grpo::testing {

struct Outcome {
  int status = -1;
  std::string out, errors;
  /// Of JSON lines.
  std::vector<nlohmann::json> rows() const {
    std::vector<nlohmann::json> rows;
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);) rows.push_back(nlohmann::json::parse(line));
    return rows;
  }
};

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  std::string text(const std::string& name) const { return read_text(path(name)); }
  void write(const std::string& name, const std::string& bytes) const { std::ofstream(path(name), std::ios::binary) << bytes; }

  /// A line of a shell, in the folder; `grpo` in it is the program.
  Outcome shell(const std::string& line) const {
    write("command", "grpo() { " GRPO_BINARY_DIR "/bin/grpo \"$@\"; }\n" + line + "\n");
    const std::string command = "cd '" + folder_.string() + "' && bash command > out 2> errors < /dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text("out"), text("errors")};
  }
  /// The program with words of a shell and what stands on its stdin.
  Outcome run(const std::string& arguments, const std::string& input = {}) const {
    write("in", input);
    return shell("grpo " + arguments + " < in");
  }

  /// A model that takes milliseconds.
  void save_model(const std::string& name, uint64_t seed = 1) const {
    const NewModelConfig model{
        .hidden_size = 16, .intermediate_size = 32, .num_hidden_layers = 1, .num_attention_heads = 2, .extra_tokens = {}};
    const Policy policy = load_policy({.path = {}, .tokenizer = {}, .new_model = model}, seed);
    const c10::NoGradGuard no_grad;
    for (auto& parameter : policy.model->named_parameters()) {
      if (parameter.value.dim() == 2) parameter.value.mul_(10.0);  // what it says depends on what it is asked
    }
    save_policy(policy, path(name).string(), "float32");
  }

  const std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) / ("program-" + std::to_string(::getpid()));
};

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace grpo::testing
