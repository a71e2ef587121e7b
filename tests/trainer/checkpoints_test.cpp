// Checkpoints that know whether they are whole, as a trainer uses them. Oracles: the undisturbed run, bytes counted by hand, and what was
// done to the files.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "run/disk_plan.h"
#include "run/manifest.h"
#include "support/errors.h"
#include "support/parity.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::equal;
using testing::metric_lines;
using testing::registry;
using testing::tiny_config;
using testing::weights;

Config saving_config(const std::string& name) {
  Config c = tiny_config(name);
  c.trainer.save_steps = 1;
  return c;
}

fs::path checkpoint_of(const Config& c, int64_t step) { return fs::path(c.trainer.output_dir) / ("checkpoint-" + std::to_string(step)); }

struct TrainedRun {
  std::vector<at::Tensor> weights;
  std::vector<nlohmann::json> lines;
};

TrainedRun train_run(const Config& c, const std::string& checkpoint = {}) {
  PolicyTrainer trainer(c, {}, registry());
  EXPECT_EQ(!checkpoint.empty() && trainer.resume({.checkpoint = checkpoint}), !checkpoint.empty());
  EXPECT_TRUE(trainer.train());
  return {weights(trainer.model()), metric_lines(c)};
}

void change_a_byte(const fs::path& path) {
  std::string bytes = testing::read_text(path);
  bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
}

struct ObjectiveCase {
  std::string name;
  std::function<void(Config&)> change;
};

class NamedCheckpoint : public ::testing::TestWithParam<ObjectiveCase> {};

TEST_P(NamedCheckpoint, GoesOnAsIfTheRunHadStoppedThere) {
  Config c = saving_config("named-" + GetParam().name);
  GetParam().change(c);
  const TrainedRun whole = train_run(c);
  const TrainedRun again = train_run(c, "checkpoint-2");
  EXPECT_TRUE(equal(again.weights, whole.weights));
  EXPECT_EQ(again.lines, whole.lines);
  for (int64_t step = 1; step <= 4; ++step) {
    EXPECT_TRUE(inspect_checkpoint(checkpoint_of(c, step)).whole()) << step;
    EXPECT_EQ(fs::exists(checkpoint_of(c, step).string() + ".left"), step > 2) << step;
  }
}
INSTANTIATE_TEST_SUITE_P(Objectives, NamedCheckpoint,
                         ::testing::Values(ObjectiveCase{"grpo", [](Config&) {}},
                                           ObjectiveCase{"bfloat16",
                                                         [](Config& c) { c.model.compute_dtype = ModelSection::ComputeDType::kBFloat16; }},
                                           ObjectiveCase{"ppo", [](Config& c) { c.algorithm.objective = "ppo"; }},
                                           ObjectiveCase{"moving_reference",
                                                         [](Config& c) {
                                                           c.algorithm.loss.beta = 0.1;
                                                           c.algorithm.sync_ref_model = true;
                                                           c.algorithm.ref_model_sync_steps = 1;
                                                         }}),
                         [](const auto& test) { return test.param.name; });

TEST(Checkpoints, ADamagedNewestOneIsNeverTaken) {
  const Config c = saving_config("damaged");
  const TrainedRun whole = train_run(c);
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "config.json", "checkpoint.json"}) {
    change_a_byte(checkpoint_of(c, 4) / file);
    for (const char* name : {"", "checkpoint-4"}) {
      PolicyTrainer trainer(c, {}, registry());
      const auto before = weights(trainer.model());
      const std::string message = testing::message_of([&] { trainer.resume({.checkpoint = name}); });
      EXPECT_NE(message.find(file), std::string::npos) << message;
      EXPECT_NE(message.find("the newest whole one is checkpoint-3"), std::string::npos) << message;
      EXPECT_TRUE(equal(weights(trainer.model()), before));
    }
    change_a_byte(checkpoint_of(c, 4) / file);
  }
  EXPECT_EQ(metric_lines(c), whole.lines);
  change_a_byte(checkpoint_of(c, 4) / "model.safetensors");
  EXPECT_TRUE(equal(train_run(c, "checkpoint-3").weights, whole.weights));
}

TEST(Checkpoints, OneOfAnEarlierVersionIsTakenIfItIsNamed) {
  const Config c = saving_config("without-manifest");
  const TrainedRun whole = train_run(c);
  fs::remove(checkpoint_of(c, 3) / "checkpoint.json");
  fs::remove_all(checkpoint_of(c, 4));
  {
    PolicyTrainer trainer(c, {}, registry());
    EXPECT_NE(testing::message_of([&] { trainer.resume(); }).find("taken as it is if it is named"), std::string::npos);
  }
  EXPECT_TRUE(equal(train_run(c, "checkpoint-3").weights, whole.weights));
}

// Names and shapes of everything are compared before the first weight changes.
TEST(Checkpoints, OneOfAnotherModelChangesNothing) {
  const Config c = saving_config("another-model");
  train_run(c);
  Config wider = c, with_critic = c;
  wider.model.new_model.intermediate_size *= 2;
  with_critic.algorithm.objective = "ppo";
  for (const auto& [other, word] : {std::pair(wider, "elements"), {with_critic, "critic"}}) {
    PolicyTrainer trainer(other, {}, registry());
    const auto before = weights(trainer.model());
    const std::string message = testing::message_of([&] { trainer.resume({.allow_changed = {"model", "content", "algorithm"}}); });
    EXPECT_NE(message.find(word), std::string::npos) << message;
    EXPECT_TRUE(equal(weights(trainer.model()), before)) << word;
  }
}

TEST(Checkpoints, AFullDiskEndsTheRunAndLeavesEarlierOnesWhole) {
  Config c = saving_config("full-disk");
  c.trainer.log_completions = 0;
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  void (*handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
  PolicyTrainer trainer(c, {}, registry());
  trainer.on_step([&](const TrainReport& report) {
    const rlimit limited{12 << 10, old.rlim_max};
    if (report.step == 3) ::setrlimit(RLIMIT_FSIZE, &limited);
  });
  const std::string message = testing::message_of([&] { trainer.train(); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  for (const auto& entry : fs::directory_iterator(c.trainer.output_dir)) {
    const std::string name = entry.path().filename();
    EXPECT_FALSE(name.starts_with(".")) << name;
    EXPECT_TRUE(!name.starts_with("checkpoint") || inspect_checkpoint(entry.path()).whole()) << name;
  }
  EXPECT_TRUE(fs::exists(checkpoint_of(c, 2)));
  EXPECT_FALSE(fs::exists(checkpoint_of(c, 3)));
}

TEST(Checkpoints, MinutesMakeThemToo) {
  for (const auto& [minutes, first] : {std::pair(1e-9, true), {1e9, false}}) {
    Config c = tiny_config("minutes");
    c.trainer.save_minutes = minutes;
    train_run(c);
    EXPECT_EQ(fs::exists(checkpoint_of(c, 1)), first);
    EXPECT_EQ(fs::exists(checkpoint_of(c, 2)), first);
    EXPECT_TRUE(fs::exists(checkpoint_of(c, 4)));
  }
}

TEST(Checkpoints, TheLineAfterSaysForHowLongTheRunStoodStill) {
  Config c = tiny_config("stood-still");
  c.trainer.save_steps = 2;
  train_run(c);
  std::ifstream in(fs::path(c.trainer.output_dir) / "metrics.jsonl");
  std::vector<bool> timed;
  for (std::string line; std::getline(in, line);) timed.push_back(nlohmann::json::parse(line).contains("time/checkpoint"));
  EXPECT_EQ(timed, (std::vector<bool>{false, false, true, false}));
}

std::string disk_line_of(const Config& c) {
  const auto lines = PolicyTrainer(c, {}, registry()).plan();
  const auto found = std::ranges::find_if(lines, [](const std::string& line) { return line.starts_with("disk: "); });
  return found == lines.end() ? "" : *found;
}

int64_t values_in(const std::vector<ParameterArena*>& arenas) {
  int64_t values = 0;
  for (const auto* arena : arenas) values += arena->numel();
  return values;
}

TEST(Checkpoints, ThePlanSaysWhatDiskTheRunNeeds) {
  Config c = saving_config("disk");
  c.trainer.save_total_limit = 2;
  c.trainer.save_dtype = TrainerSection::SaveDType::kBFloat16;
  PolicyTrainer trainer(c, {}, registry());
  const double checkpoint = 12.0 * static_cast<double>(values_in(trainer.model().parameters()));  // weights and two moments in float32
  const std::string line = disk_line_of(c);
  EXPECT_NE(line.find("at most " + size_text(3 * checkpoint)), std::string::npos) << line;
  EXPECT_NE(line.find("of " + size_text(checkpoint)), std::string::npos) << line;
  const auto parameters = static_cast<double>(trainer.model().config().num_parameters());
  EXPECT_NE(line.find("model of " + size_text(2 * parameters)), std::string::npos) << line;

  Config adapters = testing::lora_config("disk-lora");
  PolicyTrainer lora(adapters, {}, registry());
  const std::string lora_line = disk_line_of(adapters);
  EXPECT_NE(lora_line.find("of " + size_text(12.0 * static_cast<double>(values_in(lora.model().trainable())))), std::string::npos)
      << lora_line;

  c.algorithm.objective = "ppo";
  c.trainer.save_total_limit = 0;
  EXPECT_NE(disk_line_of(c), line);
}

TEST(Checkpoints, ThoseOfAFinishedRunAreAllWhole) {
  Config c = saving_config("whole");
  c.trainer.save_total_limit = 2;
  train_run(c);
  EXPECT_FALSE(fs::exists(checkpoint_of(c, 2)));
  for (const int64_t step : {3, 4}) {
    const CheckpointState state = inspect_checkpoint(checkpoint_of(c, step));
    EXPECT_TRUE(state.whole()) << step;
    EXPECT_EQ(state.manifest->step, step);
  }
}

}  // namespace
}  // namespace grpo
