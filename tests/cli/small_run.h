#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/checkpoints.h"
#include "support/processes.h"

// Runs of the program that take milliseconds a step, as its user starts them.
namespace grpo::testing {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(120);

/// A folder with the config, the data and the model of a command's run, and the run in it.
struct SmallRun {
  std::string command;
  fs::path folder;
  nlohmann::json config;

  SmallRun(const std::string& name, std::string command_name)
      : command(std::move(command_name)), folder(fs::path(::testing::TempDir()) / name) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    config = {{"model",
               {{"new",
                 {{"hidden_size", 16},
                  {"intermediate_size", 32},
                  {"num_hidden_layers", 2},
                  {"num_attention_heads", 2},
                  {"max_position_embeddings", 64}}}}},
              {"data",
               {{"train", {{"task", "chained_arithmetic"}, {"options", {{"terms", 2}}}, {"count", 40}, {"seed", 3}}},
                {"prompt_template", "plain"},
                {"demonstrations", command == "sft"}}},
              {"optim", {{"learning_rate", 1e-3}}},
              {"trainer", {{"max_steps", 100000}, {"batch_size", 4}, {"output_dir", run().string()}}}};
    if (command != "train") return;
    config["reward"] = {{{"name", "length"}, {"options", {{"target", 4}}}}};
    config["rollout"] = {{"num_generations", 4}, {"max_completion_length", 8}};
    config["algorithm"] = {{"generation_batch_size", 16}};
  }

  fs::path run() const { return folder / "run"; }
  std::vector<std::string> words(const std::vector<std::string>& more = {}) const {
    std::ofstream(folder / "config.json") << config.dump();
    std::vector<std::string> all = {GRPO_BINARY_DIR "/bin/grpo", command, (folder / "config.json").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::unique_ptr<Process> start(const std::vector<std::string>& more = {}, std::map<std::string, std::string> variables = {}) const {
    variables.emplace("OMP_NUM_THREADS", "1");
    return std::make_unique<Process>(words(more), variables);
  }
  /// A line of a shell, with the command in the place of GRPO.
  std::unique_ptr<Process> shell(std::string line, const std::vector<std::string>& more = {}) const {
    std::string call;
    for (const auto& word : words(more)) call += "'" + word + "' ";
    line.replace(line.find("GRPO"), 4, call);
    return std::make_unique<Process>(std::vector<std::string>{"/bin/sh", "-c", line},
                                     std::map<std::string, std::string>{{"OMP_NUM_THREADS", "1"}});
  }

  std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> all;
    std::ifstream in(run() / "metrics.jsonl");
    for (std::string text; std::getline(in, text);) {
      if (nlohmann::json::accept(text)) all.push_back(nlohmann::json::parse(text));
    }
    return all;
  }
  int64_t last_step() const {
    const auto all = lines();
    return all.empty() ? 0 : all.back().at("step").get<int64_t>();
  }
  bool wait_for_step(int64_t step) const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (last_step() < step && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return last_step() >= step;
  }
  std::map<std::string, std::string> model_files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(run() / "model")) files[entry.path().filename().string()] = read_text(entry.path());
    return files;
  }
};

}  // namespace grpo::testing
