// grpo init. Oracles: files of known sets, made-up ones, and grpo train --dry-run.
#include "cli/program.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::has;
using testing::Outcome;

class Init : public testing::Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    save_model("model");
  }
  /// Writes a config for the file and has train accept it with the model.
  Outcome accepted(const std::string& data, const std::string& more = {}) const {
    const Outcome outcome = run("init r1-zero " + data + " --model model --out sub/config.json " + more);
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    const Outcome plan = run("train sub/config.json --dry-run");  // with paths relative to another folder
    EXPECT_EQ(plan.status, 0) << plan.errors << text("sub/config.json");
    return outcome;
  }
};

TEST_F(Init, RecognisesKnownSets) {
  const fs::path data = testing::parity_dir().parent_path();
  GRPO_REQUIRE_DATA(data / "gsm8k" / "train.jsonl");
  const struct {
    std::string file, prompt, answer;
  } sets[] = {{"gsm8k/test.jsonl", "'question'", "'answer', what follows its last ####"},
              {"math/math500_test.json", "'problem'", "'answer', as it stands"},
              {"math/amc23.jsonl", "'question'", "'answer', as it stands"},
              {"math/mawps_test.jsonl", "'input'", "'target', as it stands"},
              {"math/svamp.jsonl", "'Question'", "'Answer', as it stands"}};
  for (const auto& [file, prompt, answer] : sets) {
    const Outcome outcome = run("init r1-zero " + (data / file).string() + " --out c.json");
    ASSERT_EQ(outcome.status, 0) << outcome.errors;
    EXPECT_TRUE(has(outcome.out, "in column " + prompt) && has(outcome.out, "column " + answer)) << outcome.out;
    EXPECT_TRUE(has(outcome.out, "grpo train c.json model.path=MODEL --dry-run"));
    const Outcome plan = run("train c.json model.path=model overlong_prompts=drop max_completion_length=16 --dry-run");
    fs::remove(path("c.json"));
    // a model of bytes and 512 positions: prompts of these sets are too long for it, and the config says so where the model is known
    EXPECT_TRUE(plan.status == 0 || has(plan.errors, "overlong_prompts")) << plan.errors;
  }
}

TEST_F(Init, RecognisesOtherForms) {
  fs::create_directory(path("sub"));
  const struct {
    std::string rows;
    std::vector<std::string> said;
  } cases[] = {
      {R"({"instruction": "Add", "input": "1 2", "output": "3"})",
       {"column 'instruction'", "column 'output', as it stands", "'input' is not part"}},
      {R"({"prompt": "1+1?", "solution": "So \\boxed{2}"})", {"column 'solution', the content of its last \\boxed{…}"}},
      {R"({"messages": [{"role": "user", "content": "1+1?"}], "label": 2})",
       {"conversation in column 'messages', by the template chat", "'label'"}},
      {R"({"prompt": [{"role": "user", "content": "1+1?"}], "ground_truth": ["2", "two"]})",
       {"conversation in column 'prompt'", "'ground_truth'"}},
      {R"({"Question": "1+1?", "Final_Answer": "2", "id": 3})", {"'Question'", "'Final_Answer'", "left out    'id'"}},
      {R"({"question": "1+1?", "problem": "2?", "answer": "2"})", {"'problem' could hold the question too; 'question' is used"}},
      {"{\"question\": \"a?\", \"answer\": \"x #### 1\"}\n\n{\"question\": \"b?\", \"answer\": \"2\"}", {"1 of 2 answers are not marked"}},
  };
  for (const auto& [rows, said] : cases) {
    write("d.jsonl", rows + "\n");
    const bool chat = has(rows, "role");
    const std::string out = "--out sub/config.json";
    const Outcome outcome = chat ? run("init r1-zero d.jsonl " + out) : accepted("d.jsonl");
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    for (const std::string& part : said) EXPECT_TRUE(has(outcome.out, part)) << part << "\n" << outcome.out;
    EXPECT_EQ(run("train sub/config.json model.path=model --print-config").status, 0);
    fs::remove(path("sub/config.json"));
  }
  write("d.json", R"([{"q": "1+1?", "a": "2", "b": 3}])");
  EXPECT_TRUE(has(accepted("d.json", "--question q --answer b").out, "column 'b'"));
}

TEST_F(Init, SaysWhatIsMissingAndWhatToDo) {
  const std::string good = R"({"question": "1+1?", "answer": "2"})";
  const std::string working(200, 'w');
  const struct {
    std::string rows, options, message;
  } cases[] = {
      {R"({"a": "1", "b": "2"})", "",
       "expected a column with the question (messages, question, problem, …); got 'a', 'b': name it with --question COLUMN"},
      {R"({"question": "1"})", "", "expected a column with the answer (answer, final_answer, ground_truth, …); got 'question'"},
      {R"({"prompt": "1", "reward_model": {"ground_truth": "2"}})", "",
       "jq -c '.answer = .reward_model.ground_truth' d.jsonl > flat.jsonl"},
      {good + "\n\n" + R"({"question": "2+2?", "answer": null})", "",
       "got none that can be used in 1 of the first 2, the first at d.jsonl:3"},
      {good, "--answer anwser", "expected a column for --answer; got 'anwser' (did you mean 'answer'?)"},
      {good, "--answer question", "expected a column with the question"},
      {R"({"question": "1?", "messages": 3, "answer": "2"})", "", "expected no column 'messages' beside 'question'"},
      {R"({"question": "1", "answer": ")" + working + "\"}", "", "got longer texts in 1 of 1 rows, the first at d.jsonl:1"},
      {R"({"messages": [{"role": "user", "content": "1?"}, {"role": "assistant", "content": "2"}], "answer": "2"})", "",
       "Remove the last message"},
      {good + "\nno JSON", "", "d.jsonl:2: expected an object of columns; got no JSON"},
      {"", "", "got an empty file"},
      {good, "--out absent/c.json", "expected a folder that exists"},
      {good, "--out d.jsonl", "d.jsonl, which is there already"},
      {good, "--model nowhere", "no such file or folder: nowhere"},
  };
  for (const auto& [rows, options, message] : cases) {
    write("d.jsonl", rows);
    const Outcome refused = run("init r1-zero d.jsonl " + options);
    EXPECT_EQ(refused.status, 2) << message;
    EXPECT_TRUE(has(refused.errors, message)) << message << "\n" << refused.errors;
    EXPECT_FALSE(fs::exists(path("d_r1_zero.json")));
    EXPECT_EQ(text("d.jsonl"), rows);
  }
  EXPECT_EQ(run("init r1-zero nowhere.jsonl").status, 2);
  EXPECT_TRUE(has(run("init r2-zero d.jsonl").errors, "expected r1-zero"));
  write("d.jsonl", good);
  EXPECT_EQ(run("init r1-zero d.jsonl").status, 0);
  EXPECT_EQ(run("init r1-zero d.jsonl").status, 2);  // overwrites nothing
}

}  // namespace
}  // namespace grpo
