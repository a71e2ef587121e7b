// The grpo program as a user runs it: output lines, exit status, and the real small model where it is present.
// Oracles: hand values, parity goldens (transformers), and the contract of exit statuses.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <random>
#include <sstream>
#include <thread>

#include "support/checkpoints.h"
#include "support/metrics.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Result {
  int status = -1;
  std::string out;
  std::vector<json> lines() const {
    std::vector<json> parsed;
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);) parsed.push_back(json::parse(line));
    return parsed;
  }
};

void flip_a_bit(const fs::path& path) {
  std::string bytes = testing::read_text(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  std::ofstream(path, std::ios::binary) << bytes;
}

fs::path scratch(const std::string& name) { return fs::path(::testing::TempDir()) / ("cli-" + name); }

/// Runs the program with `arguments` (shell words) and `input` as its stdin; stderr joins stdout where asked for.
Result run(const std::string& arguments, const std::string& input = {}, bool with_errors = false) {
  const fs::path in = scratch("stdin-" + std::to_string(::getpid()));
  std::ofstream(in) << input;
  const std::string command =
      std::string(GRPO_BINARY_DIR) + "/bin/grpo " + arguments + " < " + in.string() + (with_errors ? " 2>&1" : " 2>/dev/null");
  Result result;
  FILE* pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) result.out.append(buffer, n);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  fs::remove(in);
  return result;
}

TEST(Cli, ExitStatusSaysWhatWentWrong) {
  EXPECT_EQ(run("info").status, 0);
  EXPECT_EQ(run("--help").status, 0);
  EXPECT_EQ(run("").status, 2);
  EXPECT_EQ(run("nonsense").status, 2);
  EXPECT_EQ(run("score --reward acuracy", "{}").status, 2);
  EXPECT_EQ(run("tokenize --model /does/not/exist", "{}").status, 2);
  EXPECT_EQ(run("report " + std::string(GRPO_SOURCE_DIR)).status, 1);
  EXPECT_EQ(run("score --reward accuracy", "not json").status, 0);  // every line has its answer
  EXPECT_NE(run("score --reward acuracy", "{}", true).out.find("did you mean 'accuracy'"), std::string::npos);
}

TEST(Cli, ScoresLines) {
  const auto lines = run("score --reward accuracy --extract=answer", R"({"completion": "<answer>033</answer>", "answer": "33"}
{"completion": "33", "answer": "33"}
{"completion": "<answer>33</answer>"})")
                         .lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].at("score"), 1.0);
  EXPECT_EQ(lines[1].at("score"), 0.0);
  EXPECT_TRUE(lines[2].at("score").is_null());
}

TEST(Cli, ScoresSteps) {
  const auto lines = run("score --reward equations", R"({"completion": "1+1=2 1+1=3"}
{"completion": "none"})")
                         .lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].at("score"), 0.5);
  EXPECT_EQ(lines[0].at("steps"), nlohmann::json::parse(R"([{"end": 5, "value": 1.0}, {"end": 11, "value": 0.0}])"));
  EXPECT_FALSE(lines[1].contains("steps"));
}

TEST(Cli, ConfigErrorsNameTheLine) {
  const fs::path file = scratch("bad.json");
  std::ofstream(file) << "{\n  \"optim\": {\n    \"learing_rate\": 1\n  }\n}\n";
  const Result result = run("train " + file.string(), {}, true);
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.out.find("bad.json:3"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("learning_rate"), std::string::npos);
}

TEST(Cli, OptionReferenceIsUpToDate) {
  EXPECT_EQ(run("info --options").out, testing::read_text(fs::path(GRPO_SOURCE_DIR) / "configs" / "README.md"))
      << "write it anew: grpo info --options > configs/README.md";
}

/// The command that a shipped config is for.
std::string command_of(const fs::path& config) {
  if (config.stem() == "dpo") return "dpo ";
  if (config.stem() == "reward_model") return "reward-model ";
  return testing::read_text(config).find("\"demonstrations\": true") != std::string::npos ? "sft " : "train ";
}

TEST(Cli, ShippedConfigsAreValid) {
  const fs::path configs = fs::path(GRPO_SOURCE_DIR) / "configs";
  const auto expect_valid = [](const std::string& arguments) {
    const Result result = run(arguments + " --print-config", {}, true);
    EXPECT_EQ(result.status, 0) << arguments << ": " << result.out;
  };
  for (const auto& entry : fs::directory_iterator(configs)) {
    if (entry.path().extension() == ".json") expect_valid(command_of(entry.path()) + entry.path().string());
  }
  for (const auto& entry : fs::directory_iterator(configs / "objectives")) {
    if (entry.path().extension() == ".json") expect_valid("train " + (configs / "quickstart.json").string() + " " + entry.path().string());
  }
}

TEST(Cli, TrainsATinyModelResumesReportsAndConverts) {
  const fs::path base = scratch("base"), rl = scratch("rl"), copy = scratch("copy");
  for (const auto& folder : {base, rl, copy}) fs::remove_all(folder);
  const std::string configs = std::string(GRPO_SOURCE_DIR) + "/configs/";
  const std::string tiny = " model.new.hidden_size=32 model.new.intermediate_size=64 model.new.num_hidden_layers=1 data.train.count=64";
  const Result sft = run("sft " + configs + "quickstart_base.json trainer.output_dir=" + base.string() + tiny + " --max_steps=2", {}, true);
  ASSERT_EQ(sft.status, 0) << sft.out;
  const std::string train = "train " + configs + "quickstart.json model.path=" + base.string() +
                            "/model trainer.output_dir=" + rl.string() +
                            " data.train.count=40 eval.data.count=4 generation_batch_size=16 eval.eval_steps=0 save_steps=1 ";
  EXPECT_NE(run(train + "--dry-run").out.find("parameters"), std::string::npos);
  Result result = run(train + "max_steps=2", {}, true);
  ASSERT_EQ(result.status, 0) << result.out;
  EXPECT_EQ(run(train + "max_steps=3").status, 2);  // the folder holds a run
  result = run(train + "max_steps=3 --resume", {}, true);
  ASSERT_EQ(result.status, 0) << result.out;
  EXPECT_EQ(run("report " + rl.string()).status, 0);
  EXPECT_TRUE(fs::exists(rl / "report.html"));

  ASSERT_EQ(run("convert " + (rl / "model").string() + " " + copy.string() + " --dtype bfloat16").status, 0);
  const auto tokens = run("tokenize --model " + copy.string(), R"({"text": "<think>1"})").lines();
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_EQ(tokens[0].at("ids"), json({256, 49}));
  EXPECT_EQ(tokens[0].at("decoded"), "<think>1");
  const auto eval =
      run("eval --model " + copy.string() + " --task chained_arithmetic --count 3 --prompt-template plain --max-completion-length 4")
          .lines();
  ASSERT_EQ(eval.size(), 1U);
  EXPECT_TRUE(eval[0].contains("pass@1"));
}

/// Starts the program on `arguments` and kills it after `milliseconds`, unless it ended before, which it does well. Whether it did.
bool run_and_kill(const std::string& arguments, int milliseconds) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string command = "exec " + std::string(GRPO_BINARY_DIR) + "/bin/grpo " + arguments + " >/dev/null 2>&1";
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) {
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  return WIFEXITED(status);
}

// Oracle: the run that nobody killed, bit for bit.
TEST(Cli, ARunKilledAtAnyMomentResumesToTheSameWeights) {
  const fs::path base = scratch("kill-base"), whole = scratch("kill-whole"), killed = scratch("kill-killed");
  for (const auto& folder : {base, whole, killed}) fs::remove_all(folder);
  const std::string configs = std::string(GRPO_SOURCE_DIR) + "/configs/";
  const std::string tiny = " model.new.hidden_size=32 model.new.intermediate_size=64 model.new.num_hidden_layers=1 data.train.count=64";
  ASSERT_EQ(run("sft " + configs + "quickstart_base.json trainer.output_dir=" + base.string() + tiny + " --max_steps=2").status, 0);
  const fs::path rewards = scratch("kill-rewards.json");  // one that an untrained model earns now and then, so that weights move
  std::ofstream(rewards) << R"({"reward": [{"name": "length", "options": {"target": 8}}]})";
  const std::string train = "train " + configs + "quickstart.json " + rewards.string() + " model.path=" + base.string() +
                            "/model data.train.count=200 eval.eval_steps=0 eval.at_start=false eval.at_end=false generation_batch_size=16 "
                            "save_steps=1 max_steps=8 trainer.output_dir=";
  ASSERT_EQ(run(train + whole.string()).status, 0);

  std::mt19937 random(std::random_device{}());
  int kills = 0;
  bool done = false;
  for (; !done && kills < 60; ++kills) {
    const int patience = 300 + 50 * kills + 3 * kills * kills;  // longer and longer, so that slow machines get through
    done = run_and_kill(train + killed.string() + " --resume", std::uniform_int_distribution<int>(50, patience)(random));
  }
  ASSERT_TRUE(done) << "not done after " << kills << " tries";
  for (const auto& entry : fs::recursive_directory_iterator(whole / "model")) {
    EXPECT_EQ(testing::read_text(entry.path()), testing::read_text(killed / "model" / fs::relative(entry.path(), whole / "model")))
        << entry.path();
  }
  const auto expected = testing::timeless_metrics(whole), got = testing::timeless_metrics(killed);
  EXPECT_NE(expected.back().at("loss"), 0.0);
  ASSERT_EQ(expected.size(), got.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(expected[i], got[i]) << "line " << i;
}

// Oracles: what was done to the files, the contract of exit statuses.
TEST(Cli, ListsAndVerifiesCheckpointsAndResumesFromTheNamedOne) {
  const fs::path folder = scratch("checkpoints");
  fs::remove_all(folder);
  const std::string train = "sft " + std::string(GRPO_SOURCE_DIR) + "/configs/quickstart_base.json trainer.output_dir=" + folder.string() +
                            " model.new.hidden_size=32 model.new.intermediate_size=64 model.new.num_hidden_layers=1 data.train.count=64 "
                            "save_steps=1 save_total_limit=0 logging_steps=1 max_steps=3 ";
  ASSERT_EQ(run(train).status, 0);
  EXPECT_EQ(run("checkpoint verify " + folder.string()).status, 0);
  EXPECT_EQ(run("checkpoint verify " + (folder / "checkpoint-2").string() + "/").status, 0);
  flip_a_bit(folder / "checkpoint-3" / "model.safetensors");
  const Result verified = run("checkpoint verify " + folder.string());
  EXPECT_EQ(verified.status, 1);
  EXPECT_NE(verified.out.find("checkpoint-2: whole"), std::string::npos) << verified.out;
  EXPECT_NE(verified.out.find("checkpoint-3: damaged\n  model.safetensors"), std::string::npos) << verified.out;
  const auto lines = run("checkpoint list --json " + folder.string()).lines();
  ASSERT_EQ(lines.size(), 3U);
  for (int64_t i = 0; i < 3; ++i) {
    const json& line = lines[static_cast<size_t>(i)];
    EXPECT_EQ(line.at("step"), i + 1);
    EXPECT_EQ(line.at("whole"), i < 2);
    EXPECT_GT(line.at("bytes"), 10000);
    EXPECT_TRUE(line.at("metrics").contains("loss"));
  }
  EXPECT_NE(lines[0].at("metrics").at("loss"), lines[1].at("metrics").at("loss"));
  const Result table = run("checkpoint list " + folder.string());
  EXPECT_EQ(table.status, 0);
  EXPECT_NE(table.out.find("damaged"), std::string::npos) << table.out;
  EXPECT_EQ(run("checkpoint list " + (folder / "model").string()).status, 1);
  EXPECT_EQ(run("checkpoint").status, 2);

  const Result refused = run(train + "max_steps=4 --resume", {}, true);
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.out.find("the newest whole one is checkpoint-2"), std::string::npos) << refused.out;
  EXPECT_NE(refused.out.find("--resume=checkpoint-N names a checkpoint"), std::string::npos) << refused.out;
  EXPECT_EQ(run(train + "max_steps=4 --resume=checkpoint-9").status, 2);
  const Result resumed = run(train + "max_steps=4 --resume=checkpoint-2", {}, true);
  EXPECT_EQ(resumed.status, 0) << resumed.out;
  EXPECT_TRUE(fs::exists(folder / "checkpoint-3.left"));
  EXPECT_EQ(run("checkpoint verify " + folder.string()).status, 0);
  EXPECT_EQ(run("sft --resume " + train.substr(4) + "max_steps=5").status, 0);  // it swallows no config
}

void expect_goldens(const fs::path& folder) {
  const json golden = testing::read_json(folder / "golden.json");
  for (const auto& greedy : golden.at("greedy")) {
    const auto answers = run("logprobs --model " + folder.string() + " --greedy " + std::to_string(greedy.at("new_tokens").size()),
                             json{{"ids", greedy.at("prompt")}}.dump())
                             .lines();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].at("new_ids"), greedy.at("new_tokens"));
  }
  std::string input;
  for (const auto& sequence : golden.at("sequences")) input += json{{"ids", sequence}}.dump() + "\n";
  const auto lines = run("logprobs --model " + folder.string(), input).lines();
  ASSERT_EQ(lines.size(), golden.at("sequences").size());
  for (size_t i = 0; i < lines.size(); ++i) {
    for (size_t t = 0; t + 1 < golden.at("sequences")[i].size(); ++t) {
      EXPECT_NEAR(lines[i].at("logprobs")[t].get<double>(), golden.at("next_token_logprobs")[i][t].get<double>(), 2e-4);
      EXPECT_NEAR(lines[i].at("entropy")[t].get<double>(), golden.at("entropy")[i][t].get<double>(), 2e-4);
    }
  }
}

TEST(ParityCli, LogprobsAndGreedyTokens) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const fs::path& folder : testing::checkpoints()) {
    SCOPED_TRACE(folder.filename());
    expect_goldens(folder);
  }
}

// Oracle: PEFT's logits with the adapter and after merging.
TEST(ParityCli, AdaptersAreAppliedAndMerged) {
  GRPO_REQUIRE_DATA(testing::parity_dir() / "models");
  for (const fs::path& folder : testing::checkpoints()) {
    const fs::path adapter = folder / "lora_adapter", merged = scratch("merged");
    if (!fs::exists(adapter)) continue;
    SCOPED_TRACE(folder.filename());
    fs::remove_all(merged);
    const json sequences = testing::read_json(adapter / "golden.json").at("sequences");
    std::string input;
    for (const auto& sequence : sequences) input += json{{"ids", sequence}}.dump() + "\n";
    const auto beside = run("logprobs --model " + folder.string() + " --adapter " + adapter.string(), input).lines();
    ASSERT_EQ(beside.size(), sequences.size());
    double loss = 0.0, count = 0.0;
    for (const auto& line : beside) {
      for (const auto& value : line.at("logprobs")) loss -= value.get<double>(), count += 1.0;
    }
    EXPECT_NEAR(loss / count, testing::read_json(adapter / "golden.json").at("loss_adapter").get<double>(), 1e-4);

    const auto greedy = [&](const std::string& arguments) {
      return run("logprobs " + arguments + " --greedy 12", json{{"ids", sequences[0]}}.dump()).lines().at(0).at("new_ids");
    };
    ASSERT_EQ(run("convert " + folder.string() + " " + merged.string() + " --merge-lora " + adapter.string()).status, 0);
    const auto once = run("logprobs --model " + merged.string(), input).lines();
    for (size_t i = 0; i < once.size(); ++i) {
      for (size_t t = 0; t < once[i].at("logprobs").size(); ++t)
        EXPECT_NEAR(once[i].at("logprobs")[t].get<double>(), beside[i].at("logprobs")[t].get<double>(), 2e-4);
    }
    EXPECT_EQ(greedy("--model " + merged.string()), greedy("--model " + folder.string() + " --adapter " + adapter.string()));
  }
}

TEST(ParityCli, SmolLm2ConvertsAndAgreesWithItsGoldens) {
  const char* gguf = std::getenv("GRPO_SMOLLM2_GGUF");
  const fs::path goldens = testing::parity_dir() / "smollm2" / "golden.json";
  GRPO_REQUIRE_DATA(goldens);
  if (gguf == nullptr && std::getenv("CI") == nullptr)
    GTEST_SKIP() << "set GRPO_SMOLLM2_GGUF to the model's GGUF file (examples/get_smollm2.sh)";
  ASSERT_NE(gguf, nullptr) << "CI must set GRPO_SMOLLM2_GGUF";
  const fs::path folder = scratch("smollm2");
  ASSERT_EQ(run("convert " + std::string(gguf) + " " + folder.string(), {}).status, 0);
  const json golden = testing::read_json(goldens);
  std::string input;
  for (const auto& prompt : golden.at("prompts")) input += json{{"ids", prompt.at("ids")}}.dump() + "\n";
  const auto& text = golden.at("text_logprobs");
  input += json{{"ids", text.at("ids")}}.dump() + "\n";
  const auto lines = run("logprobs --model " + folder.string() + " --greedy 32", input).lines();
  ASSERT_EQ(lines.size(), golden.at("prompts").size() + 1);
  for (size_t i = 0; i < golden.at("prompts").size(); ++i) {
    auto ids = lines[i].at("new_ids").get<std::vector<int32_t>>();
    const auto expected = golden.at("prompts")[i].at("greedy_ids").get<std::vector<int32_t>>();
    ids.resize(expected.size());
    EXPECT_EQ(ids, expected) << "prompt " << i;
  }
  for (size_t t = 0; t + 1 < text.at("ids").size(); ++t) {
    EXPECT_NEAR(lines.back().at("logprobs")[t].get<double>(), text.at("next_token_logprobs")[t].get<double>(), 1e-3);
  }
  const auto tokens = run("tokenize --model " + folder.string() + " --no-special-tokens", json{{"text", text.at("text")}}.dump()).lines();
  EXPECT_EQ(tokens.at(0).at("ids"), text.at("ids"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace grpo
