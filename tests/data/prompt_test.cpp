#include "grpo/data/prompt.h"

#include <gtest/gtest.h>

#include "grpo/core/error.h"

namespace grpo {
namespace {

Problem ask(const std::string& question) {
  Problem problem;
  problem.question = question;
  return problem;
}

/// Oracle: DeepSeek-R1, table 1.
TEST(Prompt, R1ZeroIsThePapersTemplate) {
  EXPECT_EQ(
      render_prompt(ask("What is 1+1?"), {}),
      "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about "
      "the "
      "reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are enclosed within "
      "<think>...</think> and <answer>...</answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here "
      "</answer>. User: What is 1+1?. Assistant:");
}

TEST(Prompt, TextTemplatesPlaceTheQuestion) {
  EXPECT_EQ(render_prompt(ask("3+5=?"), {.prompt_template = "plain"}), "3+5=?\n");
  EXPECT_EQ(render_prompt(ask("{question}"), {.prompt_template = "Q: {question} / {question} A:"}), "Q: {question} / {question} A:");
}

TEST(Prompt, ChatBuildsMessages) {
  const PromptOptions chat{.prompt_template = "chat", .system_prompt = "Be brief."};
  EXPECT_TRUE(is_chat(chat));
  EXPECT_FALSE(is_chat({}));
  auto messages = prompt_messages(ask("q"), chat);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, "Be brief.");
  EXPECT_EQ(messages[1].role, "user");
  EXPECT_EQ(messages[1].content, "q");

  Problem own;
  own.messages = {{"system", "Be long."}, {"user", "hi"}};
  messages = prompt_messages(own, chat);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].content, "Be long.");
}

// A model would be asked for something else than the row says.
TEST(Prompt, TextTemplatesRefuseWhatOnlyAChatCanShow) {
  Problem problem = ask("q");
  problem.tools = "[]";
  problem.chat_template_kwargs = "{}";
  EXPECT_EQ(render_prompt(problem, {.prompt_template = "plain"}), "q\n");
  problem.tools = "[{}]";
  EXPECT_THROW(render_prompt(problem, {.prompt_template = "plain"}), Error);
  problem.tools.clear();
  problem.chat_template_kwargs = "{\"x\":1}";
  EXPECT_THROW(render_prompt(problem, {.prompt_template = "plain"}), Error);
}

TEST(Prompt, AnEmptyOneIsCalledThat) {
  Problem messages;
  messages.messages = {{"user", "q"}};
  const auto message_of = [](const Problem& problem) -> std::string {
    try {
      return render_prompt(problem, {.prompt_template = "plain"});
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_NE(message_of(ask("")).find("got an empty prompt"), std::string::npos);
  EXPECT_NE(message_of(ask(" \n")).find("got an empty prompt"), std::string::npos);
  EXPECT_NE(message_of(messages).find("got a problem of messages"), std::string::npos);
  EXPECT_FALSE(is_empty_prompt(messages));
  messages.messages = {{"system", ""}, {"user", " "}};
  EXPECT_TRUE(is_empty_prompt(messages));
  messages.messages = {{"assistant", "", R"({"tool_calls": []})"}};
  EXPECT_FALSE(is_empty_prompt(messages));
}

TEST(Prompt, BadCombinationsAreErrors) {
  EXPECT_THROW(validate({.chat_template_kwargs = {{"x", "1"}}}), Error);
  EXPECT_THROW(validate({.prompt_template = "chat", .chat_template_kwargs = {{"messages", "[]"}}}), Error);
  EXPECT_NO_THROW(validate({.prompt_template = "chat", .chat_template_kwargs = {{"enable_thinking", "false"}}}));
  EXPECT_THROW(validate({.prompt_template = "no place"}), Error);
  EXPECT_THROW(validate({.system_prompt = "Be brief."}), Error);
  EXPECT_THROW(render_prompt(ask("q"), {.prompt_template = "chat"}), Error);
  EXPECT_THROW(prompt_messages(ask("q"), {}), Error);
  EXPECT_THROW(render_prompt(Problem{}, {}), Error);
  try {
    validate({.prompt_template = "r1_zreo"});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(error.what()).find("did you mean 'r1_zero'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace grpo
