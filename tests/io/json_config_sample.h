#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grpo/core/config.h"

/// A config with every kind of option, for the tests and the fuzz target of grpo/io/json_config.h.
namespace sample {

enum class Schedule { kConstant, kLinear, kCosine };

struct Optim {
  double learning_rate = 1e-6;
  int64_t warmup_steps = 0;
  std::optional<double> max_grad_norm = 1.0;
  Schedule schedule = Schedule::kConstant;
  std::vector<double> betas{0.9, 0.95};
  bool operator==(const Optim&) const = default;
};

struct Reward {
  std::string name;
  double weight = 1.0;
  grpo::NamedOptions options;
  bool operator==(const Reward&) const = default;
};

struct Config {
  bool resume = false;
  std::string run_name = "run";
  std::string output_dir;
  std::optional<int64_t> seed;
  std::vector<std::string> stop{"</answer>"};
  Optim optim;
  std::vector<Reward> rewards;
  bool operator==(const Config&) const = default;
};

inline void describe(grpo::ConfigVisitor& visitor, Optim& optim) {
  visitor.field("learning_rate", optim.learning_rate, "Step size.", grpo::kPositive);
  visitor.field("warmup_steps", optim.warmup_steps, "Steps of linear warm-up.", {.min = 0, .max = 1e6});
  visitor.field("max_grad_norm", optim.max_grad_norm, "Norm that gradients are clipped to.", grpo::kPositive);
  visitor.enumeration("schedule", optim.schedule, {"constant", "linear", "cosine"}, "How the step size falls.");
  visitor.field("betas", optim.betas, "Decay of |g| and g².");
}

inline void describe(grpo::ConfigVisitor& visitor, Reward& reward) {
  visitor.field("name", reward.name, "Which reward.");
  visitor.field("weight", reward.weight, "Its weight.", grpo::kFraction);
  visitor.options("options", reward.options, "Its own options.");
}

inline void describe(grpo::ConfigVisitor& visitor, Config& config) {
  visitor.field("resume", config.resume, "Continue a run.");
  visitor.field("run_name", config.run_name, "Name of the run.");
  visitor.path("output_dir", config.output_dir, "Where the run is kept.");
  visitor.field("seed", config.seed, "Of all random numbers.", grpo::kNonNegative);
  visitor.field("stop", config.stop, "Texts that end a completion.");
  visitor.section("optim", "The optimiser.", [&](grpo::ConfigVisitor& inner) { describe(inner, config.optim); });
  visitor.list(
      "rewards", "The rewards, added up.", config.rewards.size(), [&](size_t size) { config.rewards.resize(size); },
      [&](grpo::ConfigVisitor& inner, size_t i) { describe(inner, config.rewards[i]); });
}

}  // namespace sample
