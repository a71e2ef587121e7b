// The grpo program as a user runs it: output lines, exit status, and the real small model where it is present.
// Oracles: hand values, parity goldens (transformers), and the contract of exit statuses.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <sstream>

#include "support/parity.h"

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
  EXPECT_EQ(run("tokenize --model /does/not/exist", "{}").status, 1);
  EXPECT_EQ(run("score --reward accuracy", "not json").status, 1);
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

TEST(Cli, ShippedConfigsAreValid) {
  for (const auto& entry : fs::directory_iterator(fs::path(GRPO_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() != ".json") continue;
    const bool sft = testing::read_text(entry.path()).find("\"demonstrations\": true") != std::string::npos;
    const Result result = run((sft ? "sft " : "train ") + entry.path().string() + " --print-config", {}, true);
    EXPECT_EQ(result.status, 0) << entry.path() << ": " << result.out;
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

TEST(ParityCli, LogprobsAndGreedyTokens) {
  const fs::path folder = testing::parity_dir() / "models" / "llama";
  GRPO_REQUIRE_DATA(folder);
  const json golden = testing::read_json(folder / "golden.json");
  const auto& greedy = golden.at("greedy").at(0);
  const auto answers = run("logprobs --model " + folder.string() + " --greedy " + std::to_string(greedy.at("new_tokens").size()),
                           json{{"ids", greedy.at("prompt")}}.dump())
                           .lines();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].at("new_ids"), greedy.at("new_tokens"));
  const auto& sequence = golden.at("sequences").at(0);
  const auto line = run("logprobs --model " + folder.string(), json{{"ids", sequence}}.dump()).lines().at(0);
  for (size_t t = 0; t + 1 < sequence.size(); ++t) {
    EXPECT_NEAR(line.at("logprobs")[t].get<double>(), golden.at("next_token_logprobs")[0][t].get<double>(), 2e-4);
    EXPECT_NEAR(line.at("entropy")[t].get<double>(), golden.at("entropy")[0][t].get<double>(), 2e-4);
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
