#include "grpo/text/chat_template.h"

#include <gtest/gtest.h>

#include <functional>

#include "grpo/core/error.h"

namespace grpo {
namespace {

const char* const kTemplate =
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{{ eos_token }}{% endfor %}{% if add_generation_prompt "
    "%}<assistant>{% endif %}";

// Oracle: hand values.
TEST(ChatTemplate, RendersMessages) {
  const ChatTemplate chat_template(kTemplate);
  ChatTemplate::Options options;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  const std::vector<Message> messages{{"user", "2 + 2 = {{ x }}?"}, {"assistant", "é 4\n"}};
  EXPECT_EQ(chat_template.render(messages, options), "<s><user>2 + 2 = {{ x }}?</s><assistant>é 4\n</s><assistant>");
  options.add_generation_prompt = false;
  EXPECT_EQ(chat_template.render(messages, options), "<s><user>2 + 2 = {{ x }}?</s><assistant>é 4\n</s>");
  EXPECT_EQ(chat_template.render({}, options), "<s>");
}

// A model's template that is not understood is an error to those alone who use it.
TEST(ChatTemplate, OfAModelThrowsWhereItIsUsed) {
  EXPECT_THROW(ChatTemplate("{% include 'x' %}"), Error);
  const ChatTemplate broken = ChatTemplate::of_model("{% include 'x' %}");
  for (const auto& use : std::vector<std::function<void()>>{[&] {
                                                              broken.render({{"user", "a"}}, {});
                                                            },
                                                            [&] {
                                                              broken.render_open({{"user", "a"}}, {});
                                                            },
                                                            [&] { broken.render_json("[]", "", {}); }}) {
    try {
      use();
      FAIL() << "expected an error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("got 'include'"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(ChatTemplate::of_model(kTemplate).render({{"user", "a"}}, {}), ChatTemplate(kTemplate).render({{"user", "a"}}, {}));
}

TEST(ChatTemplate, BothFormsAgree) {
  const ChatTemplate chat_template(kTemplate);
  EXPECT_EQ(chat_template.render({{"user", "a\"b"}}, {}), chat_template.render_json(R"([{"role": "user", "content": "a\"b"}])", "", {}));
}

TEST(ChatTemplate, MessagesBringTheirMembers) {
  const ChatTemplate chat_template("{{ messages|tojson }}{{ tools|tojson }}");
  EXPECT_EQ(chat_template.render({{"assistant", "a", R"({"tool_calls": [{"z": 1, "a": null}]})"}, {"tool", "b", R"({"content": ["c"]})"}},
                                 {}, R"([{"b": 1, "a": 2}])"),
            R"([{"role": "assistant", "content": "a", "tool_calls": [{"z": 1, "a": null}]}, {"role": "tool", "content": ["c"]}])"
            R"([{"b": 1, "a": 2}])");
  EXPECT_EQ(chat_template.render({{"a", "", R"({"content": null, "x": 1})"}}, {}, ""), R"([{"role": "a", "x": 1}]null)");
  EXPECT_THROW(chat_template.render({{"a", "b", "[]"}}, {}), Error);
}

// Oracle: by hand, and transformers' continue_final_message for the texts.
TEST(ChatTemplate, AConversationIsCutWhereItsLastTextEnds) {
  ChatTemplate::Options options;
  options.eos_token = "</s>";
  const auto cut = [&](const std::string& source, const std::vector<Message>& messages) {
    const ChatTemplate::OpenEnd end = ChatTemplate(source).render_open(messages, options);
    return end.text + "|" + end.ending;
  };
  EXPECT_EQ(cut(kTemplate, {{"user", "u"}, {"assistant", "TEXT-ENDS-HERE "}}), "<user>u</s><assistant>TEXT-ENDS-HERE |</s>");
  const std::string trims = "{% for m in messages %}[{{ m.content | trim }} {{ eos_token }}{% endfor %}";
  EXPECT_EQ(cut(trims, {{"assistant", " a b\t\n"}}), "[a b| </s>");
  EXPECT_EQ(cut("{{ messages[0].content }}{{ messages[0].content }}", {{"assistant", "a"}}), "aa|");  // the last place counts
  EXPECT_EQ(cut("{% for p in messages[0].content %}{{ p.text }};{% endfor %}",
                {{"assistant", "ab", R"({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "x"}]})"}}),
            "a;b|;;");
  for (const std::vector<Message>& bad :
       {std::vector<Message>{}, {{"assistant", "", R"({"content": null})"}}, {{"assistant", "a", R"({"tool_calls": [1]})"}}}) {
    EXPECT_THROW(cut(kTemplate, bad), Error);
  }
  EXPECT_THROW(cut("x", {{"assistant", "a"}}), Error);
  const std::string forgets = "{{ messages[0].content.split('</think>')[-1] }}";
  EXPECT_EQ(cut(forgets, {{"assistant", "b "}}), "b |");
  EXPECT_THROW(cut(forgets, {{"assistant", "<think>a</think>b"}}), Error);  // as transformers: the thought would be lost
}

TEST(ChatTemplate, MovesAndRendersAgain) {
  ChatTemplate first("{{ messages|length }}");
  ChatTemplate second(std::move(first));
  first = std::move(second);
  EXPECT_EQ(first.render({{"user", "a"}}, {}), "1");
  EXPECT_EQ(first.render({}, {}), "0");
}

TEST(ChatTemplate, WhatIsNotGivenIsNoneOrUndefined) {
  const ChatTemplate chat_template(
      "{{ tools is none }}{{ documents is none }}{{ bos_token is defined }}{{ enable_thinking is defined }}{{ add_generation_prompt }}");
  EXPECT_EQ(chat_template.render({}, {}), "TrueTrueFalseFalseTrue");
}

TEST(ChatTemplate, FurtherVariablesAndTools) {
  ChatTemplate::Options options;
  options.variables_json = R"({"enable_thinking": false, "bos_token": "B", "n": {"z": 1, "a": 2}})";
  options.bos_token = "<s>";
  EXPECT_EQ(ChatTemplate("{{ enable_thinking }}{{ bos_token }}{{ n|tojson }}{{ tools[0]|tojson }}")
                .render_json("[]", R"([{"b":1,"a":[]}])", options),
            R"(FalseB{"z": 1, "a": 2}{"b": 1, "a": []})");
}

// As transformers: the keys of a message, but not those further in.
TEST(ChatTemplate, NullsOfAMessageAreDropped) {
  const ChatTemplate chat_template("{{ messages[0].content is defined }}{{ messages[0]|tojson }}");
  EXPECT_EQ(chat_template.render_json(R"([{"role": "a", "content": null, "x": {"y": null}}])", "", {}),
            R"(False{"role": "a", "x": {"y": null}})");
}

TEST(ChatTemplate, RaiseExceptionCarriesTheMessage) {
  const ChatTemplate chat_template("{% if not messages %}\n{{ raise_exception('No messages given') }}{% endif %}");
  try {
    chat_template.render({}, {});
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[chat_template] line 2, column 19: No messages given");
  }
}

TEST(ChatTemplate, RefusesBadJson) {
  const ChatTemplate chat_template("x");
  ChatTemplate::Options options;
  for (const char* bad : {"", "[", "{}", "[1]", "null", "[{\"a\": 1}] x", "[{\"a\": \"\xff\"}]", "[{\"a\": 18446744073709551615}]",
                          "[{\"a\": 123456789012345678901234567890}]"}) {
    EXPECT_THROW(chat_template.render_json(bad, "", options), Error) << bad;
  }
  EXPECT_THROW(chat_template.render_json(std::string(100000, '['), "", options), Error);
  EXPECT_THROW(chat_template.render_json("[]", "{}", options), Error);
  options.variables_json = "[]";
  EXPECT_THROW(chat_template.render_json("[]", "", options), Error);
}

TEST(ChatTemplate, RefusesBadTemplates) {
  EXPECT_THROW(ChatTemplate("{{ "), Error);
  EXPECT_THROW(ChatTemplate("{% if x %}"), Error);
  EXPECT_THROW(ChatTemplate("\xC3"), Error);
}

TEST(ChatTemplate, KeepsJsonNumbersAsTheyAre) {
  ChatTemplate::Options options;
  options.variables_json = R"({"v": [9223372036854775807, -9223372036854775808, 1.0, 1e2, 0.1, -0.0]})";
  EXPECT_EQ(ChatTemplate("{{ v|tojson }}").render_json("[]", "", options),
            "[9223372036854775807, -9223372036854775808, 1.0, 100.0, 0.1, -0.0]");
}

}  // namespace
}  // namespace grpo
