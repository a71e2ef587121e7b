// Commands of one's own in the program. Oracle: what they are given, and the contract of exit statuses.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grpo/cli/main.h"

namespace grpo {
namespace {

int run_main(const Registry& registry, std::vector<std::string> words) {
  words.insert(words.begin(), "grpo");
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  return grpo::main(static_cast<int>(words.size()), arguments.data(), registry);
}

TEST(OwnCommand, GetsItsArgumentsAndGivesTheStatus) {
  Registry registry = builtin_registry();
  std::vector<std::string> given;
  registry.add_command("hello", "Says hello", [&given](const std::vector<std::string>& words) {
    given = words;
    return words.empty() ? 0 : 7;
  });
  registry.add_command("fails", "Fails", [](const std::vector<std::string>&) -> int { fail_usage("fails", "expected better"); });
  EXPECT_EQ(run_main(registry, {"hello"}), 0);
  EXPECT_EQ(run_main(registry, {"hello", "--name=x", "info", "--help", "-v", "a b"}), 7);
  EXPECT_EQ(given, (std::vector<std::string>{"--name=x", "info", "--help", "-v", "a b"}));
  EXPECT_EQ(run_main(registry, {"fails"}), 2);
  EXPECT_EQ(run_main(registry, {"helo"}), 2);
}

TEST(OwnCommand, NeverTakesTheNameOfTheProgramsOwn) {
  Registry registry = builtin_registry();
  registry.add_command("train", "Trains otherwise", [](const std::vector<std::string>&) { return 0; });
  EXPECT_EQ(run_main(registry, {"info"}), 2);
}

}  // namespace
}  // namespace grpo
