// Problems to prompts and answers to ids. Oracles: by hand; the cases named so, transformers' apply_chat_template with the same template.
#include <gtest/gtest.h>

#include <string>

#include "grpo/core/error.h"
#include "grpo/data/dataset.h"
#include "grpo/policy/policy.h"
#include "text/tiny_tokenizer.h"

namespace grpo {
namespace {

const PromptOptions kChat{.prompt_template = "chat"};

/// ChatML with tools, tool calls, names, parts of contents and a switch; the turn's end is not the tokenizer's end of text.
constexpr const char* kTemplate =
    "{% for t in tools or [] %}{{ t|tojson }}\n{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}{{ '(' + m.name + ')' if m.name is defined }}\n"
    "{% if m.content is string %}{{ m.content }}{% elif m.content is defined %}{% for p in m.content %}[{{ p.text }}]{% endfor %}{% endif "
    "%}"
    "{% for c in m.tool_calls or [] %}{{ c.function|tojson }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\n' }}{{ '(' ~ thinking ~ ')' if thinking is defined }}{% endif %}";

/// A token for each character of ASCII, then the special ones.
Policy policy_with(const std::string& chat_template) {
  std::vector<std::string> vocabulary;
  for (char c = ' '; c < 127; ++c) vocabulary.emplace_back(1, c);
  vocabulary.emplace_back("\n");
  testing::TinyTokenizer tokenizer(vocabulary);
  auto id = static_cast<int32_t>(vocabulary.size());
  for (const char* token : {"</s>", "<|im_start|>", "<|im_end|>"}) tokenizer.added(id++, token, {{"special", true}});
  Policy policy;
  policy.tokenizer = tokenizer.load({{"tokenizer_config.json", R"({"eos_token": "</s>"})"}});
  policy.chat_template.emplace(chat_template);
  return policy;
}

std::string prompt_of(const std::string& row, const PromptOptions& options = kChat, const std::string& chat_template = kTemplate) {
  return policy_with(chat_template).encode_prompt(parse_problem(row, {}, "row", 1), options).text;
}

std::string error_of(const std::string& row, const std::string& chat_template = kTemplate) {
  try {
    return "no error, but: " + prompt_of(row, kChat, chat_template);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Prompts, ARowsToolsReachTheTemplateInTheirOrder) {
  const std::string turns = R"("prompt": [{"role": "user", "content": "u"}])";
  const std::string expected = "{\"name\": \"add\", \"a\": {\"z\": 1, \"b\": []}}\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(prompt_of("{" + turns + R"(, "tools": [{"name": "add", "a": {"z": 1, "b": []}}]})"), expected);
  EXPECT_EQ(prompt_of("{" + turns + R"(, "tools": "[{\"name\": \"add\", \"a\": {\"z\": 1, \"b\": []}}]"})"), expected);
  EXPECT_EQ(prompt_of(R"({"question": "u", "tools": null})"), "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n");
}

TEST(Prompts, MembersOfMessagesReachTheTemplate) {
  EXPECT_EQ(prompt_of(R"({"messages": [{"role": "user", "content": "u", "name": null},
                          {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "add", "arguments": {"b": 1, "a": 2}}}]},
                          {"role": "tool", "name": "add", "content": [{"type": "text", "text": "3"}, {"type": "text", "text": "!"}]}]})"),
            "<|im_start|>user\nu<|im_end|>\n"
            "<|im_start|>assistant\n{\"name\": \"add\", \"arguments\": {\"b\": 1, \"a\": 2}}<|im_end|>\n"
            "<|im_start|>tool(add)\n[3][!]<|im_end|>\n<|im_start|>assistant\n");
}

TEST(Prompts, ARowsVariablesReachTheTemplate) {
  EXPECT_EQ(prompt_of(R"({"question": "u", "chat_template_kwargs": {"thinking": false}})"),
            "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n(False)");
}

TEST(Prompts, ALastMessageOfTheAssistantIsContinued) {
  const std::string head = "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n";
  const auto row = [](const std::string& content) {
    return R"({"prompt": [{"role": "user", "content": "u"}, {"role": "assistant", "content": )" + content + "}]}";
  };
  EXPECT_EQ(prompt_of(row("\"Let me: \"")), head + "Let me: ");
  EXPECT_EQ(prompt_of(row("\"\"")), head);
  EXPECT_EQ(prompt_of(row(R"([{"type": "text", "text": "a"}, {"type": "text", "text": "b "}])")), head + "[a][b ");
  // a template that trims messages leaves nothing of their last white space, and everything of its own
  const std::string trims = "{% for m in messages %}{{ m.role }}:\n{{ m.content | trim }} <|im_end|>{% endfor %}";
  EXPECT_EQ(prompt_of(row("\"Let me:\\n \""), kChat, trims), "user:\nu <|im_end|>assistant:\nLet me:");
  EXPECT_EQ(prompt_of(row("\"\""), kChat, trims), "user:\nu <|im_end|>assistant:\n");
}

TEST(Prompts, WhatCannotBeContinuedIsNamed) {
  const std::string row = R"({"prompt": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a", )";
  EXPECT_NE(error_of(row + R"("tool_calls": [{"function": {"name": "f"}}]}]})").find("got one with tool calls"), std::string::npos);
  EXPECT_NE(error_of(R"({"prompt": [{"role": "assistant", "content": null, "name": "n"}]})").find("got one without text"),
            std::string::npos);
  EXPECT_NE(error_of(row + R"("name": "n"}]})", "{{ messages[0].content }}").find("leaves it out"), std::string::npos);
}

TEST(Prompts, VariablesOfAllProblemsComeAfterAProblemsOwn) {
  const PromptOptions options{.prompt_template = "chat", .system_prompt = {}, .chat_template_kwargs = {{"thinking", "1"}, {"x", "2"}}};
  const std::string shows = "{{ thinking }} {{ x }}";
  EXPECT_EQ(prompt_of(R"({"question": "u"})", options, shows), "1 2");
  EXPECT_EQ(prompt_of(R"({"question": "u", "chat_template_kwargs": {"thinking": [3]}})", options, shows), "[3] 2");
}

TEST(Prompts, AnEmptyOneIsCalledThat) {
  const auto message_of = [](const std::string& question, const PromptOptions& options, const std::string& chat_template) -> std::string {
    const Policy policy = policy_with(chat_template);
    Problem problem;
    problem.index = 3;
    problem.question = question;
    try {
      policy.encode_prompt(problem, options);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const std::string empty = "problem 3: expected a prompt; got an empty prompt: ";
  EXPECT_NE(message_of("", {.prompt_template = "plain"}, kTemplate).find(empty + "it has no text"), std::string::npos);
  EXPECT_NE(message_of(" ", kChat, kTemplate).find(empty + "it has no text"), std::string::npos);
  EXPECT_NE(message_of("q", kChat, "{% if false %}{{ messages }}{% endif %}").find(empty + "its template renders to nothing"),
            std::string::npos);
  EXPECT_NE(message_of("q", kChat, "\n ").find(empty + "its template renders to nothing"), std::string::npos);
  EXPECT_EQ(message_of("q", kChat, kTemplate), "no error");
}

std::string text_of(const Policy& policy, const std::vector<int32_t>& ids) { return policy.tokenizer->decode(ids, false); }

TEST(Completions, EndWithWhatTheTemplateWritesAfterATurn) {
  const auto ended = [](const std::string& chat_template, const PromptOptions& options = kChat) {
    const Policy policy = policy_with(chat_template);
    Problem problem;
    problem.question = "u";
    const auto ids = policy.encode_completion(problem, options, "good");
    EXPECT_EQ(ids.back(), policy.turn_end_id(problem, options));
    return text_of(policy, ids);
  };
  EXPECT_EQ(ended(kTemplate), "good<|im_end|>");
  EXPECT_EQ(ended(kTemplate, {.prompt_template = "plain"}), "good</s>");
  EXPECT_EQ(ended("{% for m in messages %}{{ m.content | trim }} </s>{% endfor %}"), "good </s>");
  EXPECT_EQ(ended("{% for m in messages %}{{ m.content }}<|im_end|></s>{% endfor %}"), "good<|im_end|></s>");
  EXPECT_EQ(ended("{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}"), "good</s>");
  EXPECT_EQ(ended("{% if messages[-1].role == 'user' %}u{% else %}{{ raise_exception('no') }}{% endif %}"), "good</s>");
}

/// Prompt, chosen and rejected answer.
std::string pair_of(const std::string& row, const std::string& chat_template = kTemplate, const PromptOptions& options = kChat) {
  const Policy policy = policy_with(chat_template);
  const Problem problem = parse_problem(row, {}, "row", 1);
  try {
    const auto pair = policy.encode_pair(problem, options, given_answer(problem, "chosen"), given_answer(problem, "rejected"));
    return text_of(policy, pair.prompt) + "|" + text_of(policy, pair.chosen) + "|" + text_of(policy, pair.rejected);
  } catch (const Error& error) {
    return error.what();
  }
}

std::string assistant(const std::string& text) { return R"({"role": "assistant", "content": ")" + text + "\"}"; }

TEST(Pairs, MessagesAreRenderedAsText) {
  const std::string expected = "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n|good<|im_end|>|bad<|im_end|>";
  const std::string user = R"({"role": "user", "content": "u"})";
  const std::string good = assistant("good"), bad = assistant("bad");
  EXPECT_EQ(pair_of(R"({"question": "u", "chosen": "good", "rejected": "bad"})"), expected);
  EXPECT_EQ(pair_of(R"({"question": "u", "chosen": [)" + good + R"(], "rejected": [)" + bad + "]}"), expected);
  const std::string whole = R"("chosen": [)" + user + "," + good + R"(], "rejected": [)" + user + "," + bad + "]}";
  EXPECT_EQ(pair_of("{" + whole), expected);
  EXPECT_EQ(pair_of("{\"prompt\": \"u\", " + whole), expected);
  EXPECT_EQ(pair_of("{\"prompt\": [" + user + "], " + whole), expected);
  EXPECT_EQ(pair_of("{\"prompt\": \"u\", \"messages\": [" + user + "," + good + "], " + whole), expected);
}

TEST(Pairs, AnswersOfSeveralTurnsAreWhole) {
  const std::string calls = R"({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]}, )";
  EXPECT_EQ(pair_of(R"({"question": "u", "chosen": [)" + calls + R"({"role": "tool", "content": "3"}, )" + assistant("3!") +
                    R"(], "rejected": [)" + assistant("4") + "]}"),
            "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
            "|{\"name\": \"f\"}<|im_end|>\n<|im_start|>tool\n3<|im_end|>\n<|im_start|>assistant\n3!<|im_end|>|4<|im_end|>");
}

// A template that asks for a thought, and writes answers without one.
TEST(Pairs, AnAnswerBeginsWhereTheTemplateBeginsIt) {
  EXPECT_EQ(pair_of(R"({"question": "u", "chosen": [)" + assistant("good") + R"(], "rejected": [)" + assistant("bad") + "]}",
                    "{% for m in messages %}<|im_start|>{{ m.role }}:{{ m.content }}<|im_end|>{% endfor %}"
                    "{% if add_generation_prompt %}<|im_start|>assistant:<think>{% endif %}"),
            "<|im_start|>user:u<|im_end|>|<|im_start|>assistant:good<|im_end|>|<|im_start|>assistant:bad<|im_end|>");
}

TEST(Pairs, WhatIsNoAnswerIsNamed) {
  const auto row = [](const std::string& chosen, const std::string& rest = R"("question": "u", "rejected": "bad")") {
    return "{\"chosen\": " + chosen + ", " + rest + "}";
  };
  const struct {
    std::string row, message;
  } cases[] = {
      {row("null"), "problem 0: expected text or messages in 'chosen'; got null"},
      {row("5"), "expected text or messages in 'chosen'; got number"},
      {row("[]"), "expected text or messages in 'chosen'; got an empty list"},
      {row("\"\""), "problem 0: expected text or messages in 'chosen'; got an empty text"},
      {row("[\"good\"]"), "expected messages with role and content"},
      {row(R"([{"role": "assistant", "content": null}])"), "expected messages with role and content"},
      {row(R"([{"role": "user", "content": "other"}])"), "that go on from the prompt with role assistant; got role user"},
      {row(R"([{"role": "user", "content": "u"}])"), "got the prompt alone"},
      {row("[" + assistant("good") + "]"), "expected both answers as text or both as messages"},
      {row("[" + assistant("good") + "]", R"("rejected": [)" + assistant("bad") + R"(], "prompt": [)" + assistant("so") + "]"),
       "expected answers as text after a prompt that ends with an assistant's message"},
  };
  for (const auto& [text, message] : cases) EXPECT_NE(pair_of(text).find(message), std::string::npos) << text << "\n" << pair_of(text);
  const std::string messages = row("[" + assistant("good") + "]", R"("question": "u", "rejected": [)" + assistant("bad") + "]");
  EXPECT_NE(pair_of(messages, kTemplate, {.prompt_template = "plain"}).find("need prompt_template=chat"), std::string::npos);
}

}  // namespace
}  // namespace grpo
