// What the program says of itself. Oracles: its own --help, the library's version, bash.
#include <algorithm>
#include <regex>
#include <set>

#include "cli/program.h"
#include "grpo/version.h"

namespace grpo {
namespace {

using testing::has;
using testing::Outcome;

class Help : public testing::Program {
 protected:
  std::vector<std::string> commands() const {
    const std::string help = run("--help").out;
    std::istringstream lines(help.substr(help.find("Subcommands:\n") + 13));
    std::vector<std::string> names;
    for (std::string line; std::getline(lines, line) && !line.empty();) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    return names;
  }
  /// What bash offers for the last of these words.
  std::set<std::string> offered(const std::string& words) const {
    const Outcome outcome = shell("source <(grpo completion bash)\nCOMP_WORDS=(" + words +
                                  ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_grpo\nprintf '%s\\n' \"${COMPREPLY[@]}\"");
    EXPECT_EQ(outcome.errors, "") << words;
    std::istringstream in(outcome.out);
    std::set<std::string> offers;
    for (std::string word; in >> word;) offers.insert(word);
    return offers;
  }
};

TEST_F(Help, SaysTheVersion) {
  const Outcome outcome = run("--version");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.out.starts_with("grpo " + std::string(version()) + " (LibTorch ")) << outcome.out;
}

TEST_F(Help, ShowsDefaultsAndPlainChoices) {
  const Outcome eval = run("eval --help");
  EXPECT_EQ(eval.status, 0);
  for (const char* part :
       {"--dtype auto|float32|bfloat16|int8 [auto]", "--temperature FLOAT [1]", "--seed UINT [1234]", "--max-completion-length INT [512]",
        "--prompt-template TEXT [r1_zero]", "--reward TEXT [accuracy] ...", "--model PATH (required)"})
    EXPECT_TRUE(has(eval.out, part)) << part << "\n" << eval.out;
  for (const std::string& command : commands()) {
    const std::string help = run(command + " --help").out;
    EXPECT_FALSE(std::regex_search(help, std::regex("->[0-9]|[A-Z]:[A-Z]|ENUM|\\[\\]|\\{\\}|\\{[a-z]+,"))) << help;
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(line.size() < 130 || line.starts_with("Exit status")) << line;
  }
}

TEST_F(Help, UnknownWordsGetTheNearest) {
  const struct {
    std::string arguments, message;
  } cases[] = {{"genrate", "expected a command; got 'genrate' (did you mean 'generate'?)"},
               {"eval --modle x", "expected known options; got '--modle' (did you mean '--model'?)"},
               {"eval --temprature=1 --model x", "got '--temprature' (did you mean '--temperature'?)"},
               {"checkpoint lst", "expected a command; got 'lst' (did you mean 'list'?)"},
               {"checkpoint list x --jsn", "(did you mean '--json'?)"},
               {"eval", "[grpo eval] --model is required"},
               {"eval --model x --count", "--count"},
               {"completion tcsh", "expected bash, zsh or fish; got 'tcsh'"}};
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << arguments;
    EXPECT_TRUE(has(outcome.errors, message)) << arguments << "\n" << outcome.errors;
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Help, BashCompletesCommandsOptionsAndWords) {
  const auto all = commands();
  ASSERT_GT(all.size(), 10U);
  EXPECT_EQ(offered("grpo ''"), std::set<std::string>(all.begin(), all.end()));
  for (const std::string& command : all) {  // every option of its --help
    const std::string help = run(command + " --help").out;
    std::set<std::string> options;
    const std::regex option("\n  (?:-h,)?(--[a-z-]+)");
    for (std::sregex_iterator found(help.begin(), help.end(), option), end; found != end; ++found) options.insert((*found)[1]);
    EXPECT_EQ(offered("grpo " + command + " --"), options);
  }
  const struct {
    std::string words;
    std::set<std::string> offers;
  } cases[] = {{"grpo chec", {"checkpoint"}},
               {"grpo checkpoint ''", {"list", "verify"}},
               {"grpo checkpoint list run --j", {"--json"}},
               {"grpo eval --model m --dtype b", {"bfloat16"}},
               {"grpo eval --dtype = ''", {"auto", "float32", "bfloat16", "int8"}},
               {"grpo completion ''", {"bash", "zsh", "fish"}},
               {"grpo train c.json optim.learning_r", {"optim.learning_rate="}},
               {"grpo eval --data ''", {}}};  // files
  for (const auto& [words, offers] : cases) EXPECT_EQ(offered(words), offers) << words;
}

TEST_F(Help, OtherShellsGetTheirScripts) {
  EXPECT_TRUE(has(run("completion zsh").out, "compdef _grpo grpo"));
  EXPECT_TRUE(has(run("completion fish").out,
                  "complete -c grpo -n '__fish_seen_subcommand_from eval' -l dtype -x -a 'auto float32 bfloat16 int8'"));
  const Outcome zsh = shell("command -v zsh > /dev/null || exit 9\nzsh -n <(grpo completion zsh)");
  EXPECT_TRUE(zsh.status == 0 || zsh.status == 9) << zsh.errors;
  const Outcome fish = shell("command -v fish > /dev/null || exit 9\ngrpo completion fish > f && fish -n f");
  EXPECT_TRUE(fish.status == 0 || fish.status == 9) << fish.errors;
}

}  // namespace
}  // namespace grpo
