// What a run may change when it goes on. Oracle: the rule by hand.
#include "run/fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "grpo/core/error.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

const Fingerprint kRun = {{"trainer.seed", "1"},        {"optim.learning_rate", "0.1"}, {"content.data", "4 problems, ab"},
                          {"content.eval_data", "a"},   {"model.lora.rank", "0"},       {"model.device", "\"cpu\""},
                          {"algorithm.objective", "1"}, {"trainer.seeds_more", "1"},    {"algorithm.loss.beta", "0"}};

Fingerprint with(const std::string& key, const std::string& value) {
  Fingerprint other = kRun;
  other[key] = value;
  return other;
}

std::string refusal(const Fingerprint& now, const std::vector<std::string>& allowed = {}) {
  try {
    accepted_changes(kRun, now, allowed);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "";
}

TEST(Fingerprint, NamesWhatDiffersWithBothValues) {
  EXPECT_TRUE(changes_between(kRun, kRun).empty());
  const auto changes = changes_between(kRun, with("optim.learning_rate", "0.2"));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(to_string(changes.front()), "optim.learning_rate: 0.1, now 0.2");
}

TEST(Fingerprint, AnEntryThatOneSideLacksIsAbsentThere) {
  EXPECT_EQ(to_string(changes_between(kRun, with("reward.0.name", "\"x\"")).front()), "reward.0.name: absent, now \"x\"");
  EXPECT_EQ(to_string(changes_between(with("reward.0.name", "\"x\""), kRun).front()), "reward.0.name: \"x\", now absent");
}

TEST(Fingerprint, WhatMakesARunWhatItIsIsRefusedWithBothValues) {
  for (const char* key : {"trainer.seed", "content.data", "model.lora.rank", "algorithm.objective"}) {
    const std::string said = refusal(with(key, "other"));
    EXPECT_NE(said.find(std::string(key) + ": " + kRun.at(key) + ", now other"), std::string::npos) << said;
  }
}

TEST(Fingerprint, TheRestIsAccepted) {
  for (const char* key : {"optim.learning_rate", "content.eval_data", "model.device", "trainer.seeds_more", "algorithm.loss.beta"})
    EXPECT_EQ(refusal(with(key, "other")), "") << key;
}

TEST(Fingerprint, KnowsWhatShapesSteps) {
  for (const char* key : {"optim.learning_rate", "program.ranks", "trainer.max_tokens", "trainer.seed", "evaluation"})
    EXPECT_TRUE(shapes_steps(key)) << key;
  for (const char* key : {"trainer.max_steps", "trainer.save_steps", "eval.seed", "eval.data.count"})
    EXPECT_FALSE(shapes_steps(key)) << key;
}

TEST(Fingerprint, AFixedEntryMayBeAllowedByNameOrSection) {
  EXPECT_EQ(refusal(with("model.lora.rank", "8"), {"model.lora.rank"}), "");
  EXPECT_EQ(refusal(with("model.lora.rank", "8"), {"model"}), "");
  EXPECT_NE(refusal(with("model.lora.rank", "8"), {"trainer.seed"}), "");
}

TEST(Fingerprint, AnUnknownNameIsRefused) {
  EXPECT_NE(refusal(kRun, {"trainer.sed"}).find("did you mean 'trainer.seed'"), std::string::npos);
  EXPECT_NE(refusal(kRun, {"mod"}), "") << "a section's name is whole";
}

TEST(Fingerprint, IsReadBackAsItWasWritten) {
  const fs::path folder = fs::path(::testing::TempDir()) / "fingerprint";
  fs::remove_all(folder);
  fs::create_directories(folder);
  EXPECT_FALSE(load_fingerprint(folder).has_value());
  save_fingerprint(folder, kRun);
  EXPECT_EQ(load_fingerprint(folder), kRun);
  std::ofstream(folder / "fingerprint.json") << "{\"trainer.seed\": ";
  EXPECT_THROW(load_fingerprint(folder), Error);
}

}  // namespace
}  // namespace grpo
