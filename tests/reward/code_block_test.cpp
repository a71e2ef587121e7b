// Which program of a completion counts: hand-written cases, with those that a policy would try.
#include "reward/code_block.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "reward/tags.h"

namespace grpo {
namespace {

TEST(CodeBlock, IsTheLastOneOfPythonBehindTheThought) {
  const std::vector<std::tuple<std::string, std::optional<std::string>>> table{
      {"```python\na\n```", "a\n"},
      {"```py\na\nb\n```\nend", "a\nb\n"},
      {"text\n```python  \r\na\r\n```  \r\n", "a\r\n"},
      {"```python\na\n```\n```python\nb\n```", "b\n"},
      {"```python\na\n```\n```cpp\nb\n```\n```\nc\n```", "a\n"},
      {"```python\n```", ""},
      {"", std::nullopt},
      {"a", std::nullopt},
      {"```\na\n```", std::nullopt},
      {"```Python\na\n```", std::nullopt},
      {"```python3\na\n```", std::nullopt},
      {" ```python\na\n```", std::nullopt},
      {"say ```python\na\n```", std::nullopt},
      {"``` python\na\n```", std::nullopt},
      {"~~~python\na\n~~~", std::nullopt},
      // without an end
      {"```python\na", std::nullopt},
      {"```python\na\n````", std::nullopt},
      {"```python\na\n ```", std::nullopt},
      {"```python\na\n``` b", std::nullopt},
      {"```python\na\n```\n```python\nb", std::nullopt},
      // a beginning within a block is its text
      {"```text\n```python\na\n```", std::nullopt},
      {"```python\na\n```python\nb\n```", "a\n```python\nb\n"},
      // thoughts
      {"<think>```python\na\n```</think>", std::nullopt},
      {"<think>\n```python\na\n```\n</think>\n```python\nb\n```", "b\n"},
      {"<think>\n```python\na\n```\n", std::nullopt},
      {"<think>a</think>\n```python\nb\n```\n<think>\n```python\nc\n```\n</think>", std::nullopt},
      {"```python\na\n```\n<think>\n```python\nb\n```", std::nullopt},
      {"x\n```python\na\n```\n</think>\nb", std::nullopt},
      {"</think>\n```python\na\n```\n</think>\n```python\nb\n```", "b\n"},
      {"</think>```python\na\n```", "a\n"},
      {"```python\na\n</think>\n```", std::nullopt},
  };
  for (const auto& [text, program] : table) EXPECT_EQ(last_code_block(outside_thought(text)), program) << text;
}

TEST(CodeBlock, WhereThePromptBeganTheThoughtItHasToEnd) {
  Completion completion;
  completion.prompt = "Assistant: <think>\n";
  completion.text = "```python\na\n```";
  EXPECT_EQ(last_code_block(outside_thought(completion)), std::nullopt);
  completion.text = "b</think>\n```python\na\n```";
  EXPECT_EQ(last_code_block(outside_thought(completion)), "a\n");
}

}  // namespace
}  // namespace grpo
