// grpo score as a server of rewards. Oracles: sums by hand, what training's score_all says of the same faults, what went in.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <thread>

#include "cli/program.h"
#include "grpo/cli/main.h"

namespace grpo {
namespace {

using nlohmann::json;
using testing::has;
using testing::Outcome;

constexpr const char* kRight = R"({"completion": "<think>x</think><answer>3</answer>", "answer": "3", "id": "right"})";
constexpr const char* kWrong = R"({"completion": "<answer>4</answer>", "answer": "3", "id": [2]})";

class ScoreServer : public testing::Program {
 protected:
  /// The program with rewards of one's own.
  Outcome run_with(const Registry& registry, std::vector<std::string> words, const std::string& input) const {
    write("in", input);
    const pid_t child = ::fork();
    if (child == 0) {
      const int in = ::open(path("in").c_str(), O_RDONLY), out = ::open(path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600),
                errors = ::open(path("errors").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(in, 0), ::dup2(out, 1), ::dup2(errors, 2);
      words.insert(words.begin(), "grpo");
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      ::_exit(grpo::main(static_cast<int>(arguments.size()), arguments.data(), registry));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text("out"), text("errors")};
  }
  static std::string lines(std::initializer_list<std::string> all) {
    std::string text;
    for (const std::string& line : all) text += line + "\n";
    return text;
  }
};

/// A reward that does what its completion says.
class Obedient final : public Reward {
 public:
  void score(std::span<const Completion> batch, std::span<Score> scores, RewardContext&) override {
    largest_ = std::max(largest_, batch.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::string& text = batch[i].text;
      if (text == "throw") throw std::runtime_error("as it was told");
      if (text == "throw 42") throw 42;  // NOLINT: no exception of the library's
      if (text == "infinity") scores[i] = std::numeric_limits<double>::infinity();
      if (text == "undefined") scores[i] = Score::undefined("no opinion");
      if (text == "steps") scores[i].steps = {{4, 1.0}, {2, 1.0}};
      if (text == "sleep") std::this_thread::sleep_for(std::chrono::seconds(3));
      if (text == "batch") scores[i] = static_cast<double>(largest_);
      if (text == "ids") scores[i] = static_cast<double>(batch[i].ids.size());
    }
  }

 private:
  size_t largest_ = 0;
};

Registry with_obedient() {
  Registry registry = builtin_registry();
  registry.add_reward<Obedient>("obedient");
  return registry;
}

std::string saying(const std::string& text) { return json{{"completion", text}, {"id", text}}.dump(); }

TEST_F(ScoreServer, ABadLineGetsAnErrorRowAndTheNextOnesGoOn) {
  const std::string deep(100, '[');
  const Outcome outcome =
      run("score --reward accuracy", lines({kRight, "{not json", "", "[1]", R"({"answer": "3", "id": 7})", R"({"completion": 3})",
                                            R"({"completion": "3", "answer": []})", "{\"a\": " + deep, "\xff", kWrong}));
  EXPECT_EQ(outcome.status, 0);
  const auto rows = outcome.rows();
  ASSERT_EQ(rows.size(), 9U) << outcome.out;
  EXPECT_EQ(rows[0].at("id"), "right");
  EXPECT_EQ(rows[0].at("score"), 1.0);
  EXPECT_EQ(rows[0].at("reason"), "'3' equals '3': written alike");
  const struct {
    size_t row;
    int line;
    const char* message;
  } errors[] = {{1, 2, "expected a JSON object"},        {2, 4, "expected a JSON object; got array"},
                {3, 5, "expected a field 'completion'"}, {4, 6, "expected another type for 'completion'; got 3"},
                {5, 7, "'answer'; got an empty list"},   {6, 8, "nested at most 64 deep"},
                {7, 9, "expected a JSON object"}};
  for (const auto& [row, line, message] : errors) {
    EXPECT_EQ(rows[row].at("line"), line);
    EXPECT_TRUE(has(rows[row].at("error"), message)) << rows[row];
    EXPECT_FALSE(rows[row].contains("score"));
  }
  EXPECT_EQ(rows[3].at("id"), 7);
  EXPECT_EQ(rows[8].at("id"), json({2}));
  EXPECT_EQ(rows[8].at("score"), 0.0);
  EXPECT_TRUE(has(outcome.errors, "7 of 9 lines got an error row"));
}

TEST_F(ScoreServer, SeveralRewardsAreWeighted) {
  const std::string input = lines({kRight, kWrong, R"({"completion": "<think>x</think><answer>3</answer>"})"});
  for (const char* rewards : {"--reward accuracy=2,format=0.25", "--reward accuracy=2 --reward format=0.25"}) {
    const auto rows = run(std::string("score ") + rewards + " --format.partial=true --accuracy.extract=answer", input).rows();
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].at("score"), 2 * 1.0 + 0.25 * 1.0);
    EXPECT_EQ(rows[0].at("rewards").at("accuracy").at("score"), 1.0);
    EXPECT_EQ(rows[0].at("rewards").at("format").at("score"), 1.0);
    EXPECT_EQ(rows[1].at("score"), 0.25 * 2 * 0.125);  // two of the four tags
    EXPECT_EQ(rows[1].at("rewards").at("accuracy").at("reason"), "'4' differs from '3': different values");
    EXPECT_EQ(rows[2].at("rewards").at("accuracy").at("score"), nullptr);
    EXPECT_EQ(rows[2].at("score"), 0.25);  // of those with a verdict
  }
  EXPECT_EQ(run("score --reward accuracy=3 --correct=2", kRight).rows().at(0).at("score"), 6.0);
}

// What a person compares: the reason, its kind and both answers as they were read; in all, kinds and right answers that cannot be read.
TEST_F(ScoreServer, ShowsWhatWasCompared) {
  const auto sum = [](const std::string& answer, const std::string& numbers) {
    return R"({"completion": "<answer>)" + answer + R"(</answer>", "numbers": )" + numbers + R"(, "target": 3})";
  };
  const std::string input = lines({sum("1 + 2", "[1, 2]"), sum("1 + 2 = 3", "[1, 2]"), sum("2 / 1", "[1, 2]"), sum("1 + 2", "[1, \"b\"]")});
  const Outcome alone = run("score --reward countdown", input);
  EXPECT_TRUE(alone.out.starts_with(R"({"score":1.0,"reason":"value 3","kind":"right","gold":"3","given":"3"})")) << alone.out;
  const auto rows = alone.rows();
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[1].at("kind"), "not an expression");
  EXPECT_EQ(rows[1].at("given"), "1 + 2 = 3");
  EXPECT_EQ(rows[2].at("given"), "2");
  EXPECT_EQ(rows[3].at("kind"), kUnreadableGold);
  EXPECT_FALSE(rows[3].contains("gold"));
  EXPECT_EQ(alone.errors, "");
  const Outcome kept = run("score --reward countdown --out s.jsonl", input);
  EXPECT_EQ(kept.rows().at(0).at("verdicts"),
            json::parse(R"({"right": 1, "not an expression": 1, "different value": 1, "unreadable gold": 1})"));
  EXPECT_TRUE(has(kept.errors, "reward countdown: 1 of 4 lines have a right answer that cannot be read")) << kept.errors;
  const Outcome both = run("score --reward countdown,format --out b.jsonl", input);
  EXPECT_EQ(both.rows().at(0).at("verdicts").at("format"), json::parse(R"({"a tag is missing": 4})"));
  EXPECT_EQ(both.rows().at(0).at("verdicts").at("countdown").at("right"), 1);
}

TEST_F(ScoreServer, AConfigsRewardsAreThoseOfTraining) {
  write("run.json", R"({"reward": [{"name": "accuracy", "weight": 2, "options": {"extract": "answer", "correct": 3}},
    {"name": "lenient", "function": "accuracy", "weight": 0, "options": {"extract": "last_integer"}},
    {"name": "overlong", "function": "soft_overlong", "options": {"cache": 4}}],
    "rollout": {"max_completion_length": 8}, "algorithm": {"reward_clip_range": [-1, 5.5]}, "model": {"path": "nowhere"}})");
  const std::string input = lines({R"({"completion": "<answer>3</answer>", "answer": "3", "ids": [1, 2, 3, 4, 5, 6]})",
                                   R"({"completion": "so 3", "answer": "3", "ids": [1, 2, 3, 4, 5, 6, 7, 8]})"});
  const auto rows = run("score --config run.json", input).rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("rewards").at("overlong").at("score"), -0.5);  // 2 of the 4 tokens before the limit
  EXPECT_EQ(rows[0].at("score"), 2 * 3.0 - 0.5);
  EXPECT_EQ(rows[1].at("rewards").at("lenient").at("score"), 1.0);
  EXPECT_EQ(rows[1].at("score"), -1.0);
  EXPECT_EQ(run("score --config run.json --algorithm.reward_clip_range=[-1,2]", input).rows().at(0).at("score"), 2.0);
  EXPECT_EQ(run("score --config run.json --reward_weights=[1,1,0]", input).rows().at(0).at("score"), 4.0);
}

TEST_F(ScoreServer, FaultsAreErrorsAsInTraining) {
  const std::string input = lines(
      {saying("fine"), saying("throw"), saying("infinity"), saying("steps"), saying("undefined"), saying("throw 42"), saying("fine")});
  const Outcome outcome = run_with(with_obedient(), {"score", "--reward", "obedient"}, input);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto rows = outcome.rows();
  ASSERT_EQ(rows.size(), 7U) << outcome.out;
  const std::map<size_t, std::string> errors = {{1, "[reward obedient] expected a score; got as it was told on the sample 'throw'"},
                                                {2, "expected a finite score or NaN; got an infinity"},
                                                {3, "expected steps in the order of their ends"},
                                                {5, "that is no std::exception"}};
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].contains("error"), errors.contains(i)) << rows[i];
    if (errors.contains(i)) {
      EXPECT_TRUE(has(rows[i].at("error"), errors.at(i))) << rows[i];
    }
  }
  EXPECT_EQ(rows[1].at("id"), "throw");
  EXPECT_EQ(rows[4].at("score"), nullptr);
  EXPECT_EQ(rows[4].at("reason"), "no opinion");

  write("run.json", R"({"reward": [{"name": "obedient", "on_error": "undefined"}, {"name": "format"}]})");
  const auto undefined = run_with(with_obedient(), {"score", "--config", path("run.json").string()}, input).rows();
  EXPECT_EQ(undefined.at(2).at("rewards").at("obedient").at("score"), nullptr);
  EXPECT_EQ(undefined.at(2).at("score"), 0.0);

  const Outcome sum = run("score --reward accuracy=1e10 --correct=1e308", kRight);
  EXPECT_TRUE(has(sum.rows().at(0).at("error"), "expected a finite sum of rewards; got an infinity"));
}

TEST_F(ScoreServer, ATimeoutIsAnErrorAndTheServerGoesOn) {
  write("run.json", R"({"reward": [{"name": "obedient", "timeout": 0.2}]})");
  const std::string input = lines({saying("sleep"), saying("fine")});
  const auto rows = run_with(with_obedient(), {"score", "--config", path("run.json").string(), "--batch-size", "1"}, input).rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(has(rows[0].at("error"), "0.2 s")) << rows[0];
  EXPECT_TRUE(has(rows[1].at("error"), "still busy")) << rows[1];
}

TEST_F(ScoreServer, AnIsolatedRewardThatHangsIsKilledAndTheNextLineIsScored) {
  write("run.json", R"({"reward": [{"name": "obedient", "timeout": 1, "isolate": true}]})");
  const std::string input = lines({saying("sleep"), saying("batch")});
  const auto rows = run_with(with_obedient(), {"score", "--config", path("run.json").string(), "--batch-size", "1"}, input).rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(has(rows[0].at("error"), "its process was killed")) << rows[0];
  EXPECT_EQ(rows[1].at("score"), 1.0) << rows[1];
}

TEST_F(ScoreServer, LinesAreScoredInBatches) {
  std::string input;
  for (int i = 0; i < 10; ++i) input += saying("batch") + "\n";
  for (const size_t size : {size_t{1}, size_t{4}, size_t{64}}) {
    const auto rows = run_with(with_obedient(), {"score", "--reward", "obedient", "--batch-size", std::to_string(size)}, input).rows();
    ASSERT_EQ(rows.size(), 10U);
    EXPECT_EQ(rows.back().at("score"), static_cast<double>(std::min<size_t>(size, 10)));
  }
  EXPECT_EQ(
      run_with(with_obedient(), {"score", "--reward", "obedient"}, R"({"completion": "ids", "ids": [4, 5]})").rows().at(0).at("score"),
      2.0);
}

// A live client: each line is answered while stdin stays open.
TEST_F(ScoreServer, ALineIsAnsweredBeforeTheNextOneComes) {
  const Outcome outcome = shell(R"(coproc grpo score --reward accuracy
for id in 1 2 3; do
  echo "{\"completion\": \"\\\\boxed{3}\", \"answer\": \"3\", \"id\": $id}" >&"${COPROC[1]}"
  read -r -t 60 answer <&"${COPROC[0]}" && echo "$answer"
done)");
  const auto rows = outcome.rows();
  ASSERT_EQ(rows.size(), 3U) << outcome.errors;
  EXPECT_EQ(rows[2].at("id"), 3);
  EXPECT_EQ(rows[2].at("score"), 1.0);
}

TEST_F(ScoreServer, KeptErrorRowsCount) {
  const std::string input = lines({kRight, "broken", kWrong});
  const Outcome whole = run("score --reward accuracy=1,format=2 --out s.jsonl", input);
  EXPECT_EQ(whole.status, 0);
  EXPECT_EQ(json::parse(whole.out), json::parse(R"({"lines": 3, "mean_score": 1.5, "errors": 1, "verdicts": {
    "accuracy": {"right": 1, "different answer": 1}, "format": {"right": 1, "a tag is missing": 1}}})"));
  const std::string scores = text("s.jsonl");
  write("s.jsonl", scores.substr(0, scores.find('\n', scores.find("error")) + 1));
  const Outcome rest = run("score --reward accuracy=1,format=2 --out s.jsonl --resume", input);
  EXPECT_EQ(rest.out, whole.out);
  EXPECT_EQ(text("s.jsonl"), scores);
  const Outcome other = run("score --reward accuracy=1,format=3 --out s.jsonl --resume", input);
  EXPECT_EQ(other.status, 2);
  EXPECT_TRUE(has(other.errors, "expected reward.1.weight 2.0, got 3.0")) << other.errors;
}

TEST_F(ScoreServer, SaysWhatIsWrongWithTheCommandLine) {
  write("none.json", "{}");
  const struct {
    std::string arguments, message;
  } cases[] = {{"", "expected --reward or --config, and not both"},
               {"--reward accuracy --config none.json", "expected --reward or --config, and not both"},
               {"--config none.json", "expected reward functions in none.json; got none"},
               {"--config nowhere", "no such file or folder: nowhere"},
               {"--reward acuracy", "did you mean 'accuracy'"},
               {"--reward accuracy=much", "expected NAME or NAME=WEIGHT; got 'accuracy=much'"},
               {"--reward accuracy=inf", "expected NAME or NAME=WEIGHT"},
               {"--reward accuracy,accuracy", "expected each function once"},
               {"--reward accuracy,format --partial=true", "expected --NAME.option=value with several functions; got '--partial=true'"},
               {"--reward accuracy,format --formt.partial=true", "(did you mean 'format'?)"},
               {"--reward accuracy --extrct=any", "(did you mean 'extract'?)"},
               {"--reward accuracy extract", "expected --option=value; got 'extract'"},
               {"--reward accuracy --resume", "expected --out"},
               {"--reward accuracy --batch-size 0", "--batch-size"}};
  for (const auto& [arguments, message] : cases) {
    const Outcome refused = run("score " + arguments, kRight);
    EXPECT_EQ(refused.status, 2) << arguments;
    EXPECT_TRUE(has(refused.errors, message)) << arguments << "\n" << refused.errors;
    EXPECT_EQ(refused.out, "");
  }
}

}  // namespace
}  // namespace grpo
