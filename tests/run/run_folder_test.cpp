// Oracles: files as they lie, and the fields of TensorFlow's event.proto by hand.
#include "run/run_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "grpo/core/error.h"
#include "support/parity.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

fs::path fresh(const std::string& name) {
  const fs::path folder = fs::path(::testing::TempDir()) / ("run-" + name);
  fs::remove_all(folder);
  return folder;
}

void make_checkpoint(const fs::path& run, int64_t step) {
  write_checkpoint(run, step, [](const fs::path& folder) { std::ofstream(folder / "x") << "x"; });
}

std::vector<std::string> checkpoints(const fs::path& run) {
  std::vector<std::string> names;
  for (const auto& path : list_checkpoints(run)) names.push_back(path.filename().string());
  return names;
}

TEST(RunFolder, ANewRunIsRefusedWhereAnotherOneIs) {
  const fs::path run = fresh("refused");
  fs::create_directories(run);
  make_checkpoint(run, 9);  // its logs are gone
  EXPECT_THROW(RunFolder(run, "{}"), Error);
  EXPECT_NO_THROW(RunFolder(run, "{}", Resumed{.logs = {}, .step = 9}));
  const fs::path logged = fresh("logged");
  RunFolder(logged, "{}").metrics(1, {{"loss", 1.0}});
  EXPECT_THROW(RunFolder(logged, "{}"), Error);
}

TEST(RunFolder, AResumedLogIsCutBackAndALostOneGoesOn) {
  const fs::path run = fresh("resumed");
  LogSizes sizes;
  {
    RunFolder folder(run, "{}");
    folder.metrics(1, {{"loss", 1.0}});
    sizes = folder.sizes();
    folder.metrics(2, {{"loss", 2.0}});
  }
  RunFolder(run, "{}", Resumed{.logs = sizes, .step = 1}).metrics(2, {{"loss", 3.0}});
  EXPECT_EQ(testing::read_text(run / "metrics.jsonl"), "{\"step\":1,\"loss\":1.0}\n{\"step\":2,\"loss\":3.0}\n");
  fs::remove(run / "metrics.jsonl");
  RunFolder(run, "{}", Resumed{.logs = sizes, .step = 1}).metrics(2, {{"loss", 4.0}});
  EXPECT_EQ(testing::read_text(run / "metrics.jsonl"), "{\"step\":2,\"loss\":4.0}\n");
}

TEST(RunFolder, VerdictsAreThoseOfTheLastWrite) {
  const fs::path run = fresh("verdicts");
  RunFolder folder(run, "{}");
  folder.verdicts("");
  EXPECT_FALSE(fs::exists(run / "verdicts.json"));
  folder.verdicts("{\"a\":1}");
  folder.verdicts("{}");
  EXPECT_EQ(testing::read_text(run / "verdicts.json"), "{}\n");
}

// Event.step is field 2, Event.session_log field 7 with SessionLog.status (1) = START (1): what TensorBoard purges by.
TEST(MetricSinks, TensorBoardIsToldWhereAResumedRunBegins) {
  const fs::path run = fresh("events");
  fs::create_directories(run);
  builtin_sinks().make("tensorboard", {.folder = run});
  const std::string session("\x10\x05\x3a\x02\x08\x01", 6);
  const auto sessions = [&] {
    int64_t found = 0;
    for (const auto& entry : fs::directory_iterator(run / "events"))
      found += testing::read_text(entry.path()).find(session) != std::string::npos;
    return found;
  };
  EXPECT_EQ(sessions(), 0);
  builtin_sinks().make("tensorboard", {.folder = run, .resumed_step = 4});
  EXPECT_EQ(sessions(), 1);
}

TEST(Checkpoints, PruningNeverTakesTheNewest) {
  const fs::path run = fresh("prune");
  fs::create_directories(run);
  for (const int64_t step : {2, 4, 6, 100}) make_checkpoint(run, step);  // 100 is of another run
  prune_checkpoints(run, 2, 6);
  EXPECT_EQ(checkpoints(run), (std::vector<std::string>{"checkpoint-100", "checkpoint-6"}));
  prune_checkpoints(run, 1, 6);
  EXPECT_EQ(checkpoints(run), (std::vector<std::string>{"checkpoint-6"}));
  prune_checkpoints(run, 0, 6);
  EXPECT_EQ(checkpoints(run), (std::vector<std::string>{"checkpoint-6"}));
}

TEST(Checkpoints, AFailedWriteLeavesNothing) {
  const fs::path run = fresh("failed");
  fs::create_directories(run);
  EXPECT_THROW(write_checkpoint(run, 3, [](const fs::path&) { fail("test", "disk full"); }), Error);
  EXPECT_TRUE(fs::is_empty(run));
}

TEST(Logs, MoveAsideWithoutTakingAnothersName) {
  const fs::path run = fresh("aside");
  fs::create_directories(run / "events");
  std::ofstream(run / "metrics.jsonl") << "first";
  move_logs_aside(run);
  EXPECT_EQ(testing::read_text(run / "metrics.jsonl.1"), "first");
  EXPECT_TRUE(fs::is_directory(run / "events.1"));
  std::ofstream(run / "metrics.jsonl") << "second";
  move_logs_aside(run);
  EXPECT_EQ(testing::read_text(run / "metrics.jsonl.1"), "first");
  EXPECT_EQ(testing::read_text(run / "metrics.jsonl.2"), "second");
  EXPECT_FALSE(fs::exists(run / "metrics.jsonl"));
}

}  // namespace
}  // namespace grpo
