// grpo generate. Oracles: the same sampling parameters given by hand, what lines go in, the contract of exit statuses, what France's
// capital is.
#include "cli/program.h"

namespace grpo {
namespace {

using nlohmann::json;
using testing::has;
using testing::Outcome;

class Generate : public testing::Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    save_model("model");
  }
  std::string sampled(const std::string& options) const {
    const Outcome outcome = run("generate --model model --seed 5 --max-completion-length 24 hello " + options);
    EXPECT_EQ(outcome.status, 0) << options << outcome.errors;
    return outcome.out;
  }
};

TEST_F(Generate, WhatIsNotGivenComesFromTheModelsGenerationConfig) {
  const std::string greedy = sampled("--temperature 0");
  EXPECT_EQ(sampled(""), greedy);
  EXPECT_NE(sampled("--temperature 1"), greedy);
  EXPECT_EQ(sampled("--top-p 0.9"), sampled("--temperature 1 --top-p 0.9"));
  write("model/generation_config.json", R"({"do_sample": true, "temperature": 0.8, "top_k": 7, "top_p": 0.95, "max_new_tokens": 9})");
  const std::string recommended = "--temperature 0.8 --top-k 7 --top-p 0.95";
  EXPECT_EQ(sampled(""), sampled(recommended));
  EXPECT_EQ(sampled("--top-k 7"), sampled(recommended));
  EXPECT_NE(sampled("--top-k 2"), sampled(recommended));
  EXPECT_EQ(sampled("--temperature 0"), greedy);
  const auto row = run("generate --model model --jsonl", R"({"prompt": "hello"})").rows().at(0);
  EXPECT_LE(row.at("completion_tokens"), 9);
  write("model/generation_config.json", R"({"do_sample": true, "top_p": 7})");
  EXPECT_TRUE(has(run("generate --model model hello").errors, "generation_config.json: [SamplingParams] expected top_p in (0, 1]"));
}

TEST_F(Generate, PromptsComeFromTheCommandLineOrStdin) {
  const std::string options = " --model model --max-completion-length 12";
  const Outcome given = run("generate --prompt 'two words'" + options);
  EXPECT_EQ(given.status, 0) << given.errors;
  EXPECT_EQ(run("generate 'two words'" + options).out, given.out);
  EXPECT_EQ(run("generate" + options, "two words\n").out, given.out);
  EXPECT_NE(run("generate" + options, "two  words\n").out, given.out);
  EXPECT_TRUE(has(given.errors, "tokens/s")) << given.errors;
  EXPECT_FALSE(has(given.out, "tokens/s"));
  EXPECT_EQ(run("generate two words" + options).status, 2);
  EXPECT_EQ(run("generate two --jsonl" + options).status, 2);
  EXPECT_TRUE(has(run("generate" + options).errors, "got an empty prompt"));
  const Outcome terminal = shell("script -qec '" GRPO_BINARY_DIR "/bin/grpo generate" + options + "' /dev/null");
  EXPECT_EQ(terminal.status, 2);
  EXPECT_TRUE(has(terminal.out, "expected a prompt")) << terminal.out;
}

TEST_F(Generate, LinesGoInAndOut) {
  const std::string lines = R"({"prompt": "hello", "id": 7}
{"question": "hello"}

no JSON
{"prompt": "", "id": {"of": "mine"}}
{"prompt": "other words", "id": null}
)";
  const std::string options = "generate --model model --jsonl --temperature 1 --max-completion-length 12 ";
  const Outcome outcome = run(options, lines);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto rows = outcome.rows();
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].at("id"), 7);
  EXPECT_FALSE(rows[1].contains("id"));
  EXPECT_NE(rows[0].at("ids"), rows[1].at("ids"));  // equal prompts of two lines
  EXPECT_EQ(rows[0].at("prompt_tokens"), 5);        // bytes
  EXPECT_EQ(rows[0].at("ids").size(), rows[0].at("completion_tokens"));
  EXPECT_EQ(rows[2].at("line"), 4);
  EXPECT_TRUE(has(rows[2].at("error"), "expected a JSON object"));
  EXPECT_EQ(rows[3].at("line"), 5);
  EXPECT_EQ(rows[3].at("id"), json::parse(R"({"of": "mine"})"));
  EXPECT_TRUE(has(rows[3].at("error"), "got an empty prompt"));
  EXPECT_EQ(rows[4].at("id"), nullptr);
  for (const char* batch : {"1", "2"}) EXPECT_EQ(run(options + "--batch-size " + batch, lines).out, outcome.out);
  const auto several = run(options + "--num-generations 3", lines).rows();
  EXPECT_EQ(several.at(0).at("completions").size(), 3U);
  const auto cut = run("generate --model model --jsonl --max-completion-length 1", R"({"prompt": "a"})").rows();
  EXPECT_EQ(cut.at(0).at("finish_reason"), "length");
}

// A live client: its line is answered while stdin stays open.
TEST_F(Generate, ALineIsAnsweredBeforeTheNextOneComes) {
  const Outcome outcome = shell(R"(coproc grpo generate --model model --jsonl --max-completion-length 4
for prompt in a b; do
  echo "{\"prompt\": \"$prompt\", \"id\": \"$prompt\"}" >&"${COPROC[1]}"
  read -r -t 60 answer <&"${COPROC[0]}" && echo "$answer"
done)");
  const auto rows = outcome.rows();
  ASSERT_EQ(rows.size(), 2U) << outcome.errors;
  EXPECT_EQ(rows[1].at("id"), "b");
}

TEST_F(Generate, SamplesInNarrowerTypes) {
  for (const char* type : {"auto", "float32", "bfloat16", "int8"})
    EXPECT_EQ(run(std::string("generate --model model hi --max-completion-length 4 --dtype ") + type).status, 0) << type;
  const Outcome refused = run("generate --model model hi --dtype int4");
  EXPECT_EQ(refused.status, 2);
  EXPECT_TRUE(has(refused.errors, "[--dtype] expected auto, float32, bfloat16 or int8; got 'int4' (did you mean 'int8'?)"))
      << refused.errors;
  // what is sampled depends on it, so an evaluation does not go on in another type
  const std::string eval =
      "eval --model model --task chained_arithmetic --count 2 --prompt-template plain --max-completion-length 8 --samples-out s.jsonl ";
  ASSERT_EQ(run(eval + "--dtype int8").status, 0);
  EXPECT_TRUE(has(text("s.jsonl.settings.json"), "\"int8\""));
  EXPECT_EQ(run(eval + "--dtype bfloat16 --resume").status, 2);
  EXPECT_EQ(run(eval + "--dtype int8 --resume").status, 0);
}

TEST_F(Generate, AnEvaluationSaysWhatItAsksAndHowFarItIs) {
  const Outcome outcome =
      run("eval --model model --task chained_arithmetic --count 3 --prompt-template 'Q: {question}!' --max-completion-length 4");
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_TRUE(has(outcome.errors, "prompt template: Q: {question}!; the first prompt:\nQ: ")) << outcome.errors;
  EXPECT_TRUE(has(outcome.errors, "eval ") && has(outcome.errors, "3/3")) << outcome.errors;
  EXPECT_EQ(outcome.rows().at(0).at("prompt_template"), "Q: {question}!");
}

TEST_F(Generate, TheReadmesQuestionGetsItsAnswer) {
  const char* gguf = std::getenv("GRPO_SMOLLM2_GGUF");
  if (gguf == nullptr) GTEST_SKIP() << "set GRPO_SMOLLM2_GGUF to the model's GGUF file (examples/get_smollm2.sh)";
  const Outcome outcome = run("generate --model '" + std::string(gguf) + "' --prompt 'What is the capital of France?'");
  EXPECT_EQ(outcome.out, "The capital of France is Paris.\n") << outcome.errors;
}

}  // namespace
}  // namespace grpo
