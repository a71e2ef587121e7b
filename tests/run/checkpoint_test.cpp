// Oracles: the values that were saved, and the system's own count of this process's memory.
#include "run/checkpoint.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/optim/adamw.h"
#include "grpo/policy/config.h"
#include "grpo/policy/policy.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

/// A model with moments that no other one has.
struct TrainedModelOnDisk {
  explicit TrainedModelOnDisk(uint64_t seed, int64_t hidden_size = 16) {
    ModelSection section;
    section.new_model = {.hidden_size = hidden_size,
                         .intermediate_size = 3 * hidden_size,
                         .num_hidden_layers = 8,
                         .num_attention_heads = 2,
                         .num_key_value_heads = 2,
                         .max_position_embeddings = 16,
                         .extra_tokens = {}};
    policy = load_policy(section, seed);
    optimizer = std::make_unique<AdamW>(policy.model->trainable(), OptimConfig{});
    at::manual_seed(static_cast<int64_t>(seed));
    for (const auto& moments : optimizer->moments()) {
      at::Tensor(moments.exp_avg).normal_();
      at::Tensor(moments.exp_avg_sq).normal_();
    }
  }
  void save(const fs::path& folder) const {
    fs::remove_all(folder);
    fs::create_directories(folder);
    save_policy(policy, folder.string(), "float32");
    TrainerState state;
    state.optimizer_steps = 7;
    save_trainer_state(folder, state, *optimizer, [](ConfigVisitor&) {});
  }
  void load(const fs::path& folder) {
    load_checkpoint(folder, *policy.model, *optimizer, [](ConfigVisitor&) {});
  }
  std::vector<at::Tensor> values() const {
    std::vector<at::Tensor> all;
    for (const auto* arena : policy.model->parameters()) all.push_back(arena->flat().clone());
    for (const auto& moments : optimizer->moments()) all.insert(all.end(), {moments.exp_avg.clone(), moments.exp_avg_sq.clone()});
    return all;
  }

  Policy policy;
  std::unique_ptr<AdamW> optimizer;
};

bool alike(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const at::Tensor& x, const at::Tensor& y) { return x.equal(y); });
}

fs::path checkpoint_in(const std::string& name) { return fs::path(::testing::TempDir()) / ("checkpoint-test-" + name); }

TEST(LoadCheckpoint, GivesWeightsMomentsAndSteps) {
  const TrainedModelOnDisk saved(1);
  TrainedModelOnDisk other(2);
  const int64_t version = other.policy.model->version();
  saved.save(checkpoint_in("round"));
  other.load(checkpoint_in("round"));
  EXPECT_TRUE(alike(other.values(), saved.values()));
  EXPECT_EQ(other.optimizer->steps_done(), 7);
  EXPECT_GT(other.policy.model->version(), version);  // what is packed of the weights is stale
}

TEST(LoadCheckpoint, ChangesNothingWhereAnyFileIsOfAnotherModel) {
  const fs::path mine = checkpoint_in("mine"), others = checkpoint_in("others");
  TrainedModelOnDisk model(1);
  TrainedModelOnDisk(2).save(mine);
  TrainedModelOnDisk(2, 32).save(others);
  const auto before = model.values();
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    fs::copy_file(mine / file, checkpoint_in("kept"), fs::copy_options::overwrite_existing);
    fs::copy_file(others / file, mine / file, fs::copy_options::overwrite_existing);
    EXPECT_THROW(model.load(mine), Error) << file;
    EXPECT_TRUE(alike(model.values(), before)) << file;
    fs::copy_file(checkpoint_in("kept"), mine / file, fs::copy_options::overwrite_existing);
  }
  model.load(mine);
  EXPECT_FALSE(alike(model.values(), before));
}

/// A figure of /proc/self/status in bytes.
int64_t status_bytes(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1)) * 1024;
  }
  return -1;
}

TEST(LoadCheckpoint, TakesNoMemoryBesideTheModelsOwn) {
  TrainedModelOnDisk model(1, 256);
  model.save(checkpoint_in("large"));
  int64_t weights = 0;
  for (const auto* arena : model.policy.model->parameters()) weights += 4 * arena->numel();
  model.load(checkpoint_in("large"));             // what code and tables take, it takes once
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const int64_t before = status_bytes("VmRSS");
  if (status_bytes("VmHWM") > before + weights / 8) GTEST_SKIP() << "this system does not let a process reset its peak of memory";
  model.load(checkpoint_in("large"));
  EXPECT_LT(status_bytes("VmHWM") - before, weights / 2);  // a second set of weights and moments would be three times the weights
}

}  // namespace
}  // namespace grpo
