// Long commands that write as they go, are cut short and go on. Oracles: the command that nobody disturbed, byte for byte.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grpo/policy/config.h"
#include "grpo/policy/policy.h"
#include "support/parity.h"
#include "support/processes.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Process;

constexpr auto kPatience = std::chrono::seconds(120);

class KeptLines : public ::testing::Test {
 protected:
  struct Outcome {
    int status = -1;
    std::string out, errors;
  };

  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    save_model("model", 1);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path path(const std::string& name) const { return folder_ / name; }
  std::string text(const std::string& name) const { return testing::read_text(path(name)); }
  void write(const std::string& name, const std::string& bytes) const { std::ofstream(path(name), std::ios::binary) << bytes; }

  void save_model(const std::string& name, uint64_t seed) const {
    const NewModelConfig model{
        .hidden_size = 16, .intermediate_size = 32, .num_hidden_layers = 1, .num_attention_heads = 2, .extra_tokens = {}};
    save_policy(load_policy({.path = {}, .tokenizer = {}, .new_model = model}, seed), path(name).string(), "float32");
  }
  std::unique_ptr<Process> start(const std::string& arguments, const std::string& input = "/dev/null") const {
    const std::string command =
        "cd " + folder_.string() + " && exec " GRPO_BINARY_DIR "/bin/grpo " + arguments + " < " + input + " > out 2> errors";
    return std::make_unique<Process>(std::vector<std::string>{"/bin/sh", "-c", command}, std::map<std::string, std::string>{});
  }
  Outcome end_of(Process& process) const {
    EXPECT_TRUE(process.wait_for(kPatience));
    return {process.status(), text("out"), text("errors")};
  }
  Outcome run(const std::string& arguments, const std::string& input = "/dev/null") const { return end_of(*start(arguments, input)); }
  /// An evaluation with some options in the place of the usual ones.
  static std::string eval(const std::string& more, const std::map<std::string, std::string>& instead = {}) {
    std::map<std::string, std::string> options = {
        {"--model", "model"}, {"--count", "6"}, {"--num-generations", "4"}, {"--reward", "repetition,accuracy"}, {"--seed", "3"}};
    for (const auto& [name, value] : instead) options[name] = value;
    std::string text = "eval --task chained_arithmetic --prompt-template plain --max-completion-length 40 ";
    for (const auto& [name, value] : options) text.append(name).append(" ").append(value).append(" ");
    return text + more;
  }
  static size_t count_lines(const std::string& bytes) { return static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\n')); }
  /// Waits until a file has so many lines.
  void wait_for_lines(const std::string& name, size_t lines) const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while ((!fs::exists(path(name)) || count_lines(text(name)) < lines) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_GE(count_lines(text(name)), lines);
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / ("kept-lines-" + std::to_string(::getpid()));
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(KeptLines, AnEvaluationGoesOnBehindTheLastWholeProblem) {
  const Outcome whole = run(eval("--samples-out whole.jsonl"));
  int64_t verdicts = 0;
  const json figures = json::parse(whole.out);
  for (const auto& [kind, count] : figures.at("verdicts").at("accuracy").items()) verdicts += count.get<int64_t>();
  EXPECT_EQ(static_cast<double>(verdicts), figures.at("samples").get<double>());
  ASSERT_EQ(whole.status, 0) << whole.errors;
  const std::string samples = text("whole.jsonl");
  ASSERT_EQ(count_lines(samples), 24U);
  EXPECT_FALSE(json::parse(whole.out).contains("partial"));
  EXPECT_EQ(json::parse(text("whole.jsonl.settings.json")).at("seed"), 3);
  std::vector<size_t> ends;  // of lines
  for (size_t at = samples.find('\n'); at != std::string::npos; at = samples.find('\n', at + 1)) ends.push_back(at + 1);
  for (const size_t kept : {size_t{0}, ends[0] - 5, ends[3], ends[5] + 10, ends[15] - 1, samples.size()}) {
    write("cut.jsonl", samples.substr(0, kept));
    fs::copy_file(path("whole.jsonl.settings.json"), path("cut.jsonl.settings.json"), fs::copy_options::overwrite_existing);
    const Outcome rest = run(eval("--samples-out cut.jsonl --resume"));
    EXPECT_EQ(rest.status, 0) << rest.errors;
    EXPECT_EQ(rest.out, whole.out) << kept;
    EXPECT_EQ(text("cut.jsonl"), samples) << kept;
  }
  const Outcome fresh = run(eval("--samples-out fresh.jsonl --resume"));  // there is nothing yet
  EXPECT_EQ(fresh.out, whole.out);
  EXPECT_EQ(text("fresh.jsonl"), samples);
}

TEST_F(KeptLines, SamplesOfAnotherEvaluationAreNeitherLostNorMixed) {
  ASSERT_EQ(run(eval("--samples-out s.jsonl")).status, 0);
  const std::string samples = text("s.jsonl");
  save_model("other", 2);
  const std::string resumed = "--samples-out s.jsonl --resume";
  const struct {
    std::string arguments, message;
  } cases[] = {
      {eval("--samples-out s.jsonl"), "s.jsonl, which holds results: go on with --resume"},
      {eval("--resume"), "expected --samples-out"},
      {eval("--samples-out absent/s.jsonl"), "expected a file in a folder that exists"},
      {eval("--samples-out model"), "expected a regular file"},
      {eval(resumed, {{"--seed", "4"}}), "expected seed 3, got 4"},
      {eval(resumed, {{"--num-generations", "5"}}), "expected num_generations 4, got 5"},
      {eval(resumed, {{"--count", "7"}}), "expected problems \"6 problems, "},
      {eval(resumed, {{"--reward", "accuracy"}}), R"(expected rewards ["repetition","accuracy"], got ["accuracy"])"},
      {eval(resumed, {{"--model", "other"}}), R"(expected model "model", got "other"; expected weights)"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome refused = run(arguments);
    EXPECT_EQ(refused.status, 2) << arguments;
    EXPECT_TRUE(has(refused.errors, message)) << arguments << "\n" << refused.errors;
    EXPECT_EQ(text("s.jsonl"), samples);
  }
  save_model("model", 2);  // of the same name
  EXPECT_TRUE(has(run(eval(resumed)).errors, "made with other settings; expected weights"));
  fs::remove(path("s.jsonl.settings.json"));
  EXPECT_TRUE(has(run(eval(resumed)).errors, "expected s.jsonl.settings.json, which says what"));
  EXPECT_EQ(text("s.jsonl"), samples);
}

TEST_F(KeptLines, AnInterruptedEvaluationPrintsWhatIsFinished) {
  const auto long_eval = [](const std::string& more) {
    return "eval --model model --task chained_arithmetic --prompt-template plain --num-generations 64 --max-completion-length 200 --reward "
           "repetition " +
           more;
  };
  const auto process = start(long_eval("--count 800 --samples-out s.jsonl"));
  wait_for_lines("s.jsonl", 1);
  process->kill(SIGTERM);
  const Outcome partial = end_of(*process);
  EXPECT_EQ(partial.status, 75) << partial.errors;
  EXPECT_TRUE(has(partial.errors, "s.jsonl keeps the results: go on with --resume")) << partial.errors;
  json figures = json::parse(partial.out);
  EXPECT_EQ(figures.at("partial"), true);
  const size_t samples = figures.at("samples").get<size_t>();
  EXPECT_EQ(count_lines(text("s.jsonl")), samples);
  ASSERT_GE(samples, 64U);
  ASSERT_LT(samples, 800U * 64U);
  const Outcome fewer = run(long_eval("--samples-out fewer.jsonl --count " + std::to_string(samples / 64)));
  json expected = json::parse(fewer.out);
  for (const char* differs : {"partial", "problems"}) figures.erase(differs), expected.erase(differs);
  EXPECT_EQ(figures, expected);
  EXPECT_EQ(text("s.jsonl"), text("fewer.jsonl"));
}

TEST_F(KeptLines, AnEvaluationCutShortAgainAndAgainEndsAsIfUndisturbed) {
  const std::map<std::string, std::string> larger = {{"--count", "64"}, {"--num-generations", "16"}};
  const Outcome whole = run(eval("--samples-out whole.jsonl", larger));
  ASSERT_EQ(whole.status, 0) << whole.errors;
  const auto lines = [this] { return fs::exists(path("cut.jsonl")) ? count_lines(text("cut.jsonl")) : 0; };
  Outcome last;
  int cuts = 0;
  for (; last.status != 0 && cuts < 20; ++cuts) {
    const size_t before = lines();
    const auto process = start(eval("--samples-out cut.jsonl --resume", larger));
    while (lines() <= before && !process->wait_for(std::chrono::milliseconds(1))) {
    }
    if (!process->wait_for(std::chrono::milliseconds(1))) process->kill(cuts % 2 == 0 ? SIGKILL : SIGTERM);
    last = end_of(*process);
  }
  EXPECT_EQ(last.status, 0) << last.errors;
  EXPECT_GT(cuts, 1);
  EXPECT_EQ(last.out, whole.out);
  EXPECT_EQ(text("cut.jsonl"), text("whole.jsonl"));
}

constexpr const char* kCompletions = R"({"completion": "<answer>3</answer>", "answer": ["3", "three"]}
{"completion": "<answer>three</answer>", "answer": ["3", "three"]}

{"completion": "<answer>4</answer>", "answer": ["3", "three"]}
{"completion": "<answer>4</answer>", "answer": null}
)";

TEST_F(KeptLines, ScoresGoOnBehindTheLastWholeLine) {
  write("in", kCompletions);
  const std::string score = "score --reward accuracy --correct=2 --out ";
  EXPECT_EQ(run("score --reward accuracy --correct=2", "in").status, 0);
  const std::string scores = text("out");
  const Outcome whole = run(score + "s.jsonl", "in");
  EXPECT_EQ(whole.status, 0) << whole.errors;
  EXPECT_EQ(
      json::parse(whole.out),
      json::parse(
          R"({"lines": 4, "mean_score": 1.3333333333333333, "verdicts": {"right": 2, "different answer": 1, "unreadable gold": 1}})"));
  EXPECT_EQ(text("s.jsonl"), scores);
  EXPECT_EQ(run(score + "s.jsonl", "in").status, 2);
  for (const size_t kept : {size_t{0}, size_t{5}, scores.find('\n') + 1, scores.size() - 1, scores.size()}) {
    write("s.jsonl", scores.substr(0, kept));
    const Outcome rest = run(score + "s.jsonl --resume", "in");
    EXPECT_EQ(rest.status, 0) << rest.errors;
    EXPECT_EQ(rest.out, whole.out) << kept;
    EXPECT_EQ(text("s.jsonl"), scores) << kept;
  }
  EXPECT_TRUE(has(run("score --reward accuracy --out s.jsonl --resume", "in").errors, "expected reward.0.options.correct 2, got nothing"));
  EXPECT_TRUE(has(run("score --reward accuracy --resume", "in").errors, "expected --out"));
  EXPECT_TRUE(has(run(score + "s.jsonl --resume").errors, "expected at least the 4 lines that have their results; got 0"));
  write("s.jsonl", "{}\n");
  EXPECT_TRUE(has(run(score + "s.jsonl --resume", "in").errors, "s.jsonl:1: expected a score"));
}

// Its input goes on for ever.
TEST_F(KeptLines, InterruptedScoresPrintWhatIsFinished) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const auto process = start("score --reward accuracy --out s.jsonl", "pipe");
  std::ofstream input(path("pipe"));
  input << kCompletions << std::flush;
  wait_for_lines("s.jsonl", 4);
  process->kill(SIGTERM);
  const Outcome partial = end_of(*process);
  EXPECT_EQ(partial.status, 75) << partial.errors;
  EXPECT_EQ(json::parse(partial.out), json::parse(R"({"lines": 4, "mean_score": 0.6666666666666666, "partial": true,
                               "verdicts": {"right": 2, "different answer": 1, "unreadable gold": 1}})"));
  EXPECT_TRUE(has(partial.errors, "interrupted after 4 lines; s.jsonl keeps the results")) << partial.errors;
}

TEST_F(KeptLines, AnyOfSeveralAnswersIsRight) {
  write("in", kCompletions);
  const Outcome scored = run("score --reward accuracy", "in");
  std::istringstream lines(scored.out);
  std::vector<json> scores;
  for (std::string line; std::getline(lines, line);) scores.push_back(json::parse(line).at("score"));
  EXPECT_EQ(scores, (std::vector<json>{1.0, 1.0, 0.0, nullptr}));
  for (const char* bad : {"[]", "[null]", "[[\"3\"]]"}) {
    write("in", R"({"completion": "3", "answer": )" + std::string(bad) + "}\n");
    const Outcome refused = run("score --reward accuracy", "in");
    EXPECT_EQ(refused.status, 0);
    EXPECT_TRUE(has(json::parse(refused.out).at("error"), "'answer'; got")) << refused.out;
  }
}

TEST_F(KeptLines, AnEmptyPromptIsCalledThat) {
  const Outcome refused = run("generate --model model --prompt ''");
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.errors, "got an empty prompt")) << refused.errors;
}

}  // namespace
}  // namespace grpo
