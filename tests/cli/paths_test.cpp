// A wrong path is blamed on the path. Oracle: what lies there.
#include "cli/program.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::has;
using testing::Outcome;

class Paths : public testing::Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    save_model("model");
    fs::create_directory(path("empty"));
    write("note.txt", "hi\n");
    write("data.jsonl", R"({"question": "1+1?", "answer": "2"})"
                        "\n");
    write("config.json", R"({"model": {"path": "model"}, "data": {"train": {"path": "data.jsonl"}}, "reward": [{"name": "accuracy"}]})");
  }
};

TEST_F(Paths, EachSubcommandBlamesThePath) {
  const std::string absent = "no such file or folder: nowhere";
  const std::string no_model = "expected a model folder with a config.json, or a .gguf file; got the ";
  const std::string no_tokenizer = "expected a folder with tokenizer.json or tokenizer.model; got one with neither (while reading empty)";
  const std::string no_kind =
      "expected a folder, a tokenizer.json, a .gguf or a .model file; got another kind of file (while reading note.txt)";
  const std::string eval = "eval --model model --prompt-template plain ", dry = "train config.json --dry-run model.path=";
  const struct {
    std::string arguments, message;
  } cases[] = {
      {"generate --model nowhere hi", absent},
      {"generate --model empty hi", no_model + "folder empty, which has no config.json"},
      {"generate --model note.txt hi", no_model + "file note.txt"},
      {"generate --model model --adapter nowhere hi", absent},
      {"eval --model nowhere --task chained_arithmetic --count 1", absent},
      {"eval --model empty --task chained_arithmetic --count 1", no_model + "folder empty"},
      {eval + "--data nowhere", absent},
      {eval + "--data note.txt", "note.txt: expected a .csv, .json, .jsonl, .tsv file"},
      {eval + "--data empty", "empty: expected a .csv, .json, .jsonl, .tsv file"},
      {eval + "--data data.jsonl --samples-out nowhere/s", "expected a file in a folder that exists; got nowhere/s"},
      {"tokenize --model nowhere", absent},
      {"tokenize --model empty", no_tokenizer},
      {"tokenize --model note.txt", no_kind},
      {"chat-template --model nowhere", absent},
      {"chat-template --model empty", no_tokenizer},
      {"logprobs --model nowhere", absent},
      {"logprobs --model empty", no_model + "folder empty"},
      {"logprobs --model note.txt", no_model + "file note.txt"},
      {"convert nowhere out", absent},
      {"convert empty out", no_model + "folder empty"},
      {"convert model out --merge-lora nowhere", absent},
      {"report nowhere", absent},
      {"report empty", "empty/metrics.jsonl"},
      {"checkpoint list nowhere", absent},
      {"checkpoint verify empty", "got empty"},
      {"doctor --model nowhere", absent},
      {"doctor --model note.txt", no_model + "file note.txt"},
      {"train nowhere", absent},
      {"sft empty", "expected a file of JSON; got the folder empty"},
      {"dpo note.txt", "note.txt:1: expected a value"},
      {"train config.json data.train.path=nowhere --dry-run", "no such file or folder: " + path("nowhere").string()},
      {dry + "nowhere", "no such file or folder: " + path("nowhere").string()},
      {dry + "empty", no_model + "folder " + path("empty").string()},
      {"score --reward accuracy --out nowhere/s", "expected a file in a folder that exists; got nowhere/s"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_TRUE(has(outcome.errors, message)) << arguments << "\n" << outcome.errors;
    EXPECT_TRUE(outcome.status == 2 || (outcome.status == 1 && message.find("no such") == std::string::npos))
        << arguments << outcome.status;
  }
  EXPECT_EQ(run(dry + "model").status, 0) << run(dry + "model").errors;
}

}  // namespace
}  // namespace grpo
