// What supervised training and training from preferences learn of a file. Oracles: tokens counted by hand, and what the trained model says.
#include <cmath>
#include <fstream>

#include "grpo/core/error.h"
#include "grpo/rollout/engine.h"
#include "text/tiny_tokenizer.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;
using testing::metric_lines;
using testing::registry;
using testing::tiny_config;

constexpr int kEnd = 96, kTurnEnd = 97;  // ids of </s> and <|end|>

/// A tokenizer's folder: a token for each character, and a template whose turns do not end with the end of text.
fs::path tokenizer_folder(const std::string& name) {
  std::vector<std::string> vocabulary;
  for (char c = ' '; c < 127; ++c) vocabulary.emplace_back(1, c);
  vocabulary.emplace_back("\n");
  testing::TinyTokenizer tokenizer(vocabulary);
  tokenizer.added(kEnd, "</s>", {{"special", true}}).added(kTurnEnd, "<|end|>", {{"special", true}});
  fs::path folder = fs::path(::testing::TempDir()) / (name + "-tokenizer");
  fs::create_directories(folder);
  std::ofstream(folder / "tokenizer.json") << tokenizer.json.dump();
  std::ofstream(folder / "tokenizer_config.json") << R"({"eos_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast"})";
  std::ofstream(folder / "chat_template.jinja")
      << "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}a:{% endif %}";
  return folder;
}

/// One row, twice, under the chat template.
Config config_of(const std::string& name, const std::string& row) {
  Config c = tiny_config(name);
  c.reward.clear();
  c.model.new_model.extra_tokens.clear();
  c.model.tokenizer = tokenizer_folder(name).string();
  const fs::path file = fs::path(::testing::TempDir()) / (name + ".jsonl");
  std::ofstream(file) << row << "\n" << row << "\n";
  c.data.train = {.path = file.string(), .fields = {}, .task = {}, .options = {}};
  c.data.prompt.prompt_template = "chat";
  c.trainer.batch_size = 2;
  c.trainer.max_steps = 1;
  return c;
}

/// Tokens of one row.
template <class Run, class... Further>
double tokens_of(const Config& c, Further... further) {
  Run trainer(c, {}, registry(), further...);
  EXPECT_TRUE(trainer.train());
  return metric_lines(c).back().at("num_tokens").template get<double>() / 2;
}

TEST(GivenTexts, SupervisedTrainingLearnsAWholeSolution) {
  Config c = config_of("whole-solution", R"({"question": "q", "answer": "1+1=<<1+1=2>>2\n#### 2"})");
  c.data.train.fields.answer_after = "####";
  c.data.prompt.prompt_template = "plain";
  EXPECT_EQ(tokens_of<SftTrainer>(c), 2 + 12 + 1);  // "q\n", "1+1=2\n#### 2", the end
}

TEST(GivenTexts, SupervisedTrainingEndsATurnAsTheTemplateDoes) {
  Config c = config_of("turn-end", R"({"question": "q", "solution": "x"})");
  c.trainer.max_steps = 30;
  c.optim.learning_rate = 3e-2;
  SftTrainer trainer(c, {}, registry());
  ASSERT_TRUE(trainer.train());
  RolloutEngine engine(trainer.model());
  SamplingParams params;
  params.temperature = 0.0;
  params.num_generations = 1;
  params.max_completion_length = 2;
  const Prompt prompt{0, trainer.tokenizer().encode("u:q<|end|>\na:", false)};
  EXPECT_EQ(engine.generate({&prompt, 1}, params, {}).front().ids, (std::vector<int32_t>{'x' - ' ', kTurnEnd}));
  // and whoever loads the model ends there too
  EXPECT_EQ(read_model_config(fs::path(c.trainer.output_dir) / "model").eos_token_ids, (std::vector<int32_t>{kEnd, kTurnEnd}));
}

/// One row's tokens as DPO and as a reward model's training see them.
void expect_tokens(const std::string& name, const std::string& row, double tokens) {
  for (const Command command : {Command::kDpo, Command::kRewardModel})
    EXPECT_EQ(tokens_of<PreferenceTrainer>(config_of(name, row), command), tokens) << row;
}

TEST(GivenTexts, PreferencesThatAreMessagesCountAsTheirTexts) {
  const double tokens = 7 + 5 + 4;  // "u:q<|end|>\na:" once for both, "good<|end|>", "bad<|end|>"
  expect_tokens("pairs-text", R"({"question": "q", "chosen": "good", "rejected": "bad"})", tokens);
  expect_tokens("pairs-messages",
                R"({"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "good"}],)"
                R"( "rejected": [{"role": "assistant", "content": "bad"}]})",
                tokens);
}

TEST(GivenTexts, ARewardModelOfAChatJudgesWhereTheTurnEnds) {
  Config c = config_of("judge", R"({"question": "q", "chosen": "good", "rejected": "bad"})");
  c.trainer.max_steps = 12;
  c.optim.learning_rate = 1e-2;
  PreferenceTrainer trainer(c, {}, registry(), Command::kRewardModel);
  ASSERT_TRUE(trainer.train());
  const std::string path = (fs::path(c.trainer.output_dir) / "model").string();
  const auto judge = registry().rewards.make("reward_model", {{"path", "\"" + path + "\""}, {"add_special_tokens", "false"}});
  Problem problem;
  problem.question = "q";
  const std::vector<Completion> batch{{.problem = &problem, .prompt = "u:q<|end|>\na:", .text = "good", .ids = {}}};
  std::vector<Score> scores(1);
  RewardContext context;
  judge->score(batch, scores, context);
  const auto value_at = [&trainer](const std::string& text) {
    PackedTokens whole;
    whole.add_segment(trainer.tokenizer().encode(text, false));
    whole.add_pair(whole.num_tokens() - 1, 0, 0);
    return trainer.model().logprobs(whole, {.logprobs = false, .values = true}).values.item<double>();
  };
  EXPECT_NEAR(scores[0].value, value_at("u:q<|end|>\na:good<|end|>"), 1e-5);
  EXPECT_GT(std::abs(scores[0].value - value_at("u:q<|end|>\na:good</s>")), 1e-3);
}

TEST(GivenTexts, NoPreferenceIsAnError) {
  const Config c = config_of("pairs-null", R"({"question": "q", "chosen": null, "rejected": "bad"})");
  EXPECT_THROW(PreferenceTrainer(c, {}, registry(), Command::kDpo), Error);
}

}  // namespace
}  // namespace grpo
